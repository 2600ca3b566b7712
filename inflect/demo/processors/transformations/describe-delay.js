const HOUR_MS = 3_600_000

module.exports = ({ id, order, carrier, weight_kg, promised, expected, note }) => ({
  shipment: id,
  order,
  carrier,
  weight_kg,
  hours_late: Math.ceil((expected - promised) / HOUR_MS),
  note
})

module.exports.title = 'Say how late a shipment is'
