const ROBOTS = /bot|crawler|spider|headless/i

module.exports = (visit, context) => {
  if (ROBOTS.test(visit.agent)) context.filter('a robot')
  return true
}

module.exports.title = 'Keep visits of people'
