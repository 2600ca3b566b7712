const CONVERT = {
  C: (value) => value,
  F: (value) => (value - 32) / 1.8,
  K: (value) => value - 273.15
}

module.exports = (reading, context) => {
  const convert = CONVERT[reading.unit]
  if (!convert) context.reject(`unknown unit ${reading.unit}`)
  return { ...reading, unit: 'C', value: Math.round(convert(reading.value) * 100) / 100 }
}

module.exports.title = 'Degrees to Celsius'
