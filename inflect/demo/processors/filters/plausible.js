module.exports = (reading, context) => {
  const { from = -60, to = 60 } = context.params
  if (reading.value < from || reading.value > to) context.filter(`${reading.value} °C is out of range`)
  return true
}

module.exports.title = 'Drop impossible temperatures'
module.exports.params = {
  type: 'object',
  properties: { from: { type: 'number', title: 'Lowest' }, to: { type: 'number', title: 'Highest' } }
}
