// Browsers collect page views and send them together: one event in, one event out for each view.
module.exports = (visit, context) =>
  context.split(visit.hits.map((hit) => ({ visitor: visit.visitor, url: hit.url, at: hit.at, seconds: hit.seconds })))

module.exports.title = 'One event per page view'
