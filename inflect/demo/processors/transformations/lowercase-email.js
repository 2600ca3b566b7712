module.exports = (order) => {
  order.email = order.email.trim().toLowerCase()
  return order
}

module.exports.title = 'Lower-case the e-mail address'
