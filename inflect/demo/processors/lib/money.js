// Amounts are whole cents inside, so that sums are exact.
exports.toCents = (amount) => Math.round(Number(amount) * 100)
exports.fromCents = (cents) => cents / 100
