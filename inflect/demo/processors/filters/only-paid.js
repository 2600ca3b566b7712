// Half of all orders are abandoned at the checkout: only paid ones go on.
module.exports = (order) => order.paid

module.exports.title = 'Keep paid orders'
