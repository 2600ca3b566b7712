const TRACKING = /^(utm_[a-z]+|fbclid|gclid)=/

module.exports = (view) => {
  const [path, query = ''] = view.url.split('?')
  const kept = query.split('&').filter((pair) => pair && !TRACKING.test(pair))
  view.url = path.replace(/\/+$/, '') + (kept.length ? `?${kept.join('&')}` : '')
  return view
}

module.exports.title = 'Remove tracking from addresses'
