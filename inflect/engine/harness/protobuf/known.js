// Protobuf: the well-known types, as the JSON form of Protobuf has them.

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i
const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/
const FIRST_SECOND = -62135596800
const LAST_SECOND = 253402300799
const MOST_SECONDS = 315576000000

// Nanoseconds as ProtoJSON shows them: none, three, six or nine digits
function fraction(nanos) {
  if (nanos === 0) return ''
  const digits = StringOf(nanos).padStart(9, '0')
  return `.${digits.endsWith('000000') ? digits.slice(0, 3) : digits.endsWith('000') ? digits.slice(0, 6) : digits}`
}

const timestamp = {
  read({ seconds, nanos }) {
    if (!(seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < 1e9))
      throw new SchemaFault(`${quote(seconds)} s and ${quote(nanos)} ns are no time between the years 1 and 9999`, 'google.protobuf.Timestamp')
    return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction(nanos)}Z`
  },
  write(value) {
    const match = typeof value === 'string' ? TIME.exec(value) : null
    const ms = match === null ? NaN : Date.parse(`${match[1]}${match[3]}`.toUpperCase())
    const local = match === null ? NaN : Date.parse(`${match[1].toUpperCase()}Z`)
    const seconds = ms / 1000
    // Date takes the 31st of February for a day in March
    if (!(seconds >= FIRST_SECOND && seconds <= LAST_SECOND) || new Date(local).toISOString().slice(0, 19) !== match[1].toUpperCase())
      throw notOf(value, 'a time as in RFC 3339 ("2026-01-31T12:00:00.5Z")', 'google.protobuf.Timestamp')
    return { seconds, nanos: Number((match[2] ?? '').padEnd(9, '0')) }
  },
}
const duration = {
  read({ seconds, nanos }) {
    if (!(seconds >= -MOST_SECONDS && seconds <= MOST_SECONDS && nanos > -1e9 && nanos < 1e9) || seconds * nanos < 0)
      throw new SchemaFault(`${quote(seconds)} s and ${quote(nanos)} ns are no duration`, 'google.protobuf.Duration')
    return `${seconds < 0 || nanos < 0 ? '-' : ''}${seconds < 0 ? -seconds : seconds}${fraction(nanos < 0 ? -nanos : nanos)}s`
  },
  write(value) {
    const match = typeof value === 'string' ? DURATION.exec(value) : null
    const seconds = match === null ? NaN : Number(match[2])
    if (!(seconds <= MOST_SECONDS)) throw notOf(value, 'a duration in seconds ("1.5s")', 'google.protobuf.Duration')
    const nanos = Number((match[3] ?? '').padEnd(9, '0'))
    return match[1] === '-' ? { seconds: 0 - seconds, nanos: 0 - nanos } : { seconds, nanos }
  },
}
const fieldMask = {
  read: ({ paths }) => paths.map(path => path.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())).join(','),
  write(value) {
    if (typeof value !== 'string') throw notOf(value, 'the paths of fields, with commas between them', 'google.protobuf.FieldMask')
    return { paths: value === '' ? [] : value.split(',').map(path => path.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)) }
  },
}
const struct = {
  open: true,
  read: ({ fields }) => fields,
  write(value) {
    if (scriptTypeOf(value) !== 'object') throw notOf(value, 'an object', 'google.protobuf.Struct')
    return { fields: value }
  },
}
const listValue = {
  open: true,
  read: ({ values }) => values,
  write(value) {
    if (!isArray(value)) throw notOf(value, 'an array', 'google.protobuf.ListValue')
    return { values: value }
  },
}
const VALUE_FIELDS = { null: 'nullValue', number: 'numberValue', string: 'stringValue', boolean: 'boolValue', object: 'structValue', array: 'listValue' }
const anyValue = {
  open: true,
  read(message) {
    const [name] = keys(message)
    return name === undefined ? null : message[name]
  },
  write(value) {
    const type = typeof value === 'bigint' ? 'number' : scriptTypeOf(value)
    if (!hasOwn(VALUE_FIELDS, type)) throw notOf(value, 'a JSON value', 'google.protobuf.Value')
    return { [VALUE_FIELDS[type]]: value }
  },
}
const any = {
  open: true,
  read({ type_url: url, value }, schema) {
    if (url === '' && value === '') return {}
    const message = packedMessage(schema, url)
    if (message === null) return { '@type': url, value }
    const bytes = base64To.call(BytesOf, value)
    const inner = readElsewhere(bytes, () => message.read(bytes.length))
    return message.special ? { '@type': url, value: inner } : { '@type': url, ...inner }
  },
  write(value, schema) {
    if (scriptTypeOf(value) !== 'object') throw notOf(value, 'an object', 'google.protobuf.Any')
    const { '@type': url, ...rest } = value
    if (url === undefined && keys(rest).length === 0) return {}
    if (typeof url !== 'string') throw inside(notOf(url, 'the URL of a type', 'google.protobuf.Any'), '@type')
    const message = packedMessage(schema, url)
    if (message === null) return { type_url: url, value: rest.value }
    return { type_url: url, value: bytesOf(message.write, message.special ? rest.value : rest).toBase64() }
  },
}
function packedMessage(schema, url) {
  const name = url.slice(url.lastIndexOf('/') + 1)
  const type = name === '' ? null : schema.root.lookup(name, [protobufjs.Type])
  if (!type || fullName(type) !== name) return null
  const message = messageOf(schema, type)
  return { read: message.read, write: message.write, special: isWellKnown(name) }
}

const WELL_KNOWN = {
  'google.protobuf.Timestamp': timestamp,
  'google.protobuf.Duration': duration,
  'google.protobuf.FieldMask': fieldMask,
  'google.protobuf.Struct': struct,
  'google.protobuf.ListValue': listValue,
  'google.protobuf.Value': anyValue,
  'google.protobuf.Any': any,
}
const WRAPPED = {}
for (const name of ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes']) WRAPPED[`google.protobuf.${name}Value`] = true
const isWellKnown = name => hasOwn(WELL_KNOWN, name) || hasOwn(WRAPPED, name)
const wrapper = { read: ({ value }) => value, write: value => ({ value }) }
