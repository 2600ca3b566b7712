const { toCents, fromCents } = require('../lib/money')

module.exports = (order) => {
  const cents = order.items.reduce((sum, item) => sum + item.quantity * toCents(item.price), 0)
  return { ...order, total: fromCents(cents) }
}

module.exports.title = 'Add the sum of all items'
