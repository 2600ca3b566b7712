// Protobuf: what reads a field or a message, made once for each type.

// What reads and writes one kind of field, apart from its tag: { wire, zero, read, check, write }.
function kindOf(schema, field) {
  const { resolvedType } = field
  if (resolvedType === null || resolvedType === undefined) return SCALARS[field.type]
  if (resolvedType instanceof protobufjs.Enum) return enumKind(resolvedType)
  if (field.delimited) throw new SchemaFault(`${ruleOf(field)}: groups are not supported; make it a message`)
  const message = messageOf(schema, resolvedType)
  return {
    wire: DELIMITED,
    // a message that comes again is read into what came `before`
    read(before) {
      const size = readVarint()
      if (size > readEnd - readAt) throw sizeFault(size)
      return message.read(readAt + size, before)
    },
    check: null,
    write(value) {
      const start = beginPart()
      message.write(value)
      endPart(start, false)
    },
    takesNull: message.takesNull,
  }
}

function enumKind(type) {
  if (fullName(type) === 'google.protobuf.NullValue') return {
    wire: VARINT, zero: null, read: () => (readBits(), null), write: () => writeVarint(0), takesNull: true,
    check(value, rule) { if (value !== null && value !== 0 && value !== 'NULL_VALUE') throw notOf(value, 'null', rule) },
  }
  const names = new Map()
  const numbers = new Map(entries(type.values))
  for (const [name, number] of numbers) if (!names.has(number)) names.set(number, name)
  const closed = type._features?.enum_type === 'CLOSED'
  const shown = clean([...numbers.keys()].join(', '), QUOTED_CHARACTERS)
  return {
    wire: VARINT,
    zero: names.get(0) ?? 0,
    first: names.get(numbers.values().next().value),
    read() {
      const number = readLow()
      return names.get(number) ?? number
    },
    check(value, rule) {
      if (!(typeof value === 'string' ? numbers.has(value) : isInt32(value) && (!closed || names.has(value)))) throw notOf(value, `one of ${shown}`, rule)
    },
    write: value => writeSigned(typeof value === 'string' ? numbers.get(value) : value),
    isZero: value => value === 0 || numbers.get(value) === 0,
  }
}

// A message's { read(end), write(value) }, made once and when it is first needed: messages may hold themselves.
function messageOf(schema, type) {
  const before = schema.made.get(type)
  if (before !== undefined) return before
  const name = fullName(type)
  const message = { read: null, write: null, takesNull: name === 'google.protobuf.Value' }
  schema.made.set(type, message)
  let plain
  try {
    plain = { read: messageReader(schema, type), write: messageWriter(schema, type) }
  } catch (error) { // what was made meanwhile may refer to this one
    schema.made.clear()
    throw error
  }
  const special = hasOwn(WELL_KNOWN, name) ? WELL_KNOWN[name] : hasOwn(WRAPPED, name) ? wrapper : null
  if (special === null) {
    message.read = plain.read
    message.write = plain.write
    return message
  }
  message.read = end => special.read(plain.read(end), schema) // one that comes again counts alone
  message.write = value => {
    const inner = special.write(value, schema)
    try {
      plain.write(inner)
    } catch (error) { // the fields of a well-known type are no part of the path
      if (isFault(error) && !special.open) error.path = ''
      throw error
    }
  }
  return message
}

const fieldsOf = type => type.fieldsArray.filter(field => !field.declaringField).sort((a, b) => a.id - b.id)
const isImplicit = field => !field.repeated && !field.map && !field.partOf && !field.required
  && (!field.hasPresence || field.resolvedType === null && isWellKnown(fullName(field.parent)))
const isOneof = field => field.partOf && !field.partOf.isProto3Optional

// Straight code for one type: a loop over tags with a case for each field.
function messageReader(schema, type) {
  const cases = []
  const functions = []
  const use = run => `r[${functions.push(run) - 1}]`
  const members = []
  for (const field of type.fieldsArray.filter(candidate => !candidate.declaringField)) {
    const name = stringify(field.name)
    const kind = field.map ? mapKind(schema, field) : kindOf(schema, field)
    if (field.map) members.push(`${name}: {}`)
    else if (field.repeated) members.push(`${name}: []`)
    else if (isImplicit(field) && kind.check !== null) members.push(`${name}: ${stringify(kind.zero)}`)
    const read = use(kind.read)
    const tag = (field.id << 3 | kind.wire) >>> 0
    const before = kind.check === null ? member('m', field.name) : ''
    const others = isOneof(field) ? field.partOf.fieldsArray.filter(other => other !== field).map(other => `delete m[${stringify(other.name)}];`).join('') : ''
    if (field.map) cases.push(`case ${tag}: f = ${name}; ${read}(m[${name}]); break`)
    else if (field.repeated) {
      cases.push(`case ${tag}: f = ${name}; m[${name}].push(${read}()); break`)
      if (kind.wire !== DELIMITED) cases.push(`case ${(field.id << 3 | DELIMITED) >>> 0}: f = ${name}; packed(m[${name}], ${read}); break`)
    } else if (others !== '') cases.push(`case ${tag}: { f = ${name}; const x = ${read}(${before}); if (one[${field.partOf.fieldsArray[0].id}]) { ${others} } one[${field.partOf.fieldsArray[0].id}] = true; m[${name}] = x; break }`)
    else cases.push(`case ${tag}: f = ${name}; m[${name}] = ${read}(${before}); break`)
  }
  const required = type.fieldsArray.filter(field => field.required)
  const known = new Map(type.fieldsArray.map(field => [field.id, field]))
  const other = tag => {
    const field = known.get(tag >>> 3)
    if (field !== undefined && !field.declaringField) throw inside(wrongWire(field, tag), field.name)
    skipField(tag)
  }
  const complete = required.length === 0 ? null : message => {
    for (const field of required) if (!hasOwn(message, field.name)) throw inside(new SchemaFault('is missing', `${ruleOf(field)}, required`), field.name)
  }
  const oneofs = type.fieldsArray.some(isOneof)
  return FunctionOf('r', 'tagOf', 'more', 'packed', 'other', 'complete', 'hasOwn', 'deeper', 'shallower', 'inside', `'use strict'
    return (end, before) => { let f; deeper(); const m = before ?? { ${members.join(', ')} }; ${oneofs ? 'const one = [];' : ''}
      try { while (more(end)) { f = undefined; const t = tagOf(); switch (t) { ${cases.join('\n')}
        default: other(t) } } } catch (e) { throw f === undefined ? e : inside(e, f) }
      ${complete === null ? '' : 'complete(m);'} shallower(); return m }`)(
    functions, readVarint, moreUntil, readPacked, other, complete, hasOwn, () => deeper(MESSAGE_DEPTH, 'nesting'), () => { depth-- }, inside)
}

function moreUntil(end) {
  if (readAt > end) throw new SchemaFault('a field reaches behind the end of its message', 'length')
  return readAt < end
}

function readPacked(list, read) {
  const size = readVarint()
  if (size > readEnd - readAt) throw sizeFault(size)
  const end = readAt + size
  while (moreUntil(end)) list.push(read())
}

// The field of a map reads one entry into the object.
function mapKind(schema, field) {
  const key = SCALARS[field.keyType]
  const value = kindOf(schema, field)
  const keyTag = 8 | key.wire
  const valueTag = 16 | value.wire
  const zero = value.check === null ? () => readElsewhere(new BytesOf(0), () => messageOf(schema, field.resolvedType).read(0)) : () => value.first ?? value.zero
  return {
    wire: DELIMITED,
    read(map) {
      const end = readVarint() + readAt
      if (end > readEnd) throw sizeFault(end - readAt)
      let name = key.zero
      let found
      try {
        while (moreUntil(end)) {
          const tag = readVarint()
          if (tag === keyTag) name = key.read()
          else if (tag === valueTag) found = value.read()
          else skipField(tag)
        }
      } catch (error) {
        throw inside(error, StringOf(name))
      }
      if (found === undefined) found = zero()
      defineMember(map, StringOf(name), found)
    },
  }
}
function defineMember(map, name, value) {
  if (name === '__proto__') defineProperty(map, name, { value, writable: true, enumerable: true, configurable: true })
  else map[name] = value
}
