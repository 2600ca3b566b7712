// Old firmware sends numbers as text, and "n/a" when its probe is loose.
module.exports = (reading) => {
  const value = Number(reading.value)
  if (Number.isNaN(value)) {
    throw new TypeError(`sensor ${reading.sensor} sent ${JSON.stringify(reading.value)} instead of a number`)
  }
  return { ...reading, value }
}

module.exports.title = 'Read the value as a number'
