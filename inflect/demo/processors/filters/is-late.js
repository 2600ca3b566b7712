// Times are milliseconds, as Avro's timestamp-millis has them.
module.exports = (shipment) => shipment.expected > shipment.promised

module.exports.title = 'Keep shipments that miss their promise'
