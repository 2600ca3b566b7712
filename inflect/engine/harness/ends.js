// The ends of a pipeline whose format is bytes with a schema: wire prefixes, and the schemas that events name by id.
//
// A codec is { open(document), raw(schema), reader(writer, schema), writer(schema), prefix(schema) }: a schema from its
// document; a function that reads a bare value; one that reads what stands behind the id of its writer's schema; one that
// writes a value; the bytes that stand behind our id.

let opened = null // the source as opened by its codec
const writers = new Map() // by wire id: a function that reads what follows the id

function openSource(codec, source) {
  sourceCodec = codec
  if (source.schema !== null) {
    opened = codec.open(source.schema)
    if (source.schema.id !== null) writers.set(source.schema.id, codec.reader(opened, opened))
  }
  const own = opened === null ? () => {
    throw new SchemaFault('the value has no wire prefix, and no schema is declared', 'source.schema')
  } : codec.raw(opened)
  const whole = read => {
    const value = read()
    if (readAt !== readEnd) throw new SchemaFault(`${readEnd - readAt} bytes are left behind the value`, 'trailing bytes')
    return value
  }
  const prefixed = () => {
    if (readEnd < PREFIX_BYTES) throw new SchemaFault(`a wire prefix takes ${PREFIX_BYTES} bytes, and there are ${readEnd}`, 'wire prefix')
    const id = inputView.getUint32(1)
    readAt = PREFIX_BYTES
    const read = writers.get(id) ?? (source.raw ? codec.reader(opened, opened) : undefined)
    if (read === undefined) throw new SchemaFault(`the schema id ${id} of the event is not known`, 'wire prefix')
    return whole(read)
  }
  if (!source.raw) return line => {
    loadLine(line)
    return input[0] === MAGIC && readEnd > 0 ? prefixed() : whole(own)
  }
  return line => {
    loadLine(line)
    try {
      return whole(own)
    } catch (error) {
      if (input[0] !== MAGIC || readEnd < PREFIX_BYTES || !isFault(error)) throw error
      try {
        depth = 0
        return prefixed()
      } catch (second) {
        throw isFault(second) ? error : second
      }
    }
  }
}

function teachWriter(id, text, reason) {
  if (writers.has(id)) return ''
  const refuse = (message, stage) => writers.set(id, () => { throw new SchemaFault(message, 'wire prefix', stage) })
  try {
    if (reason !== '') throw new SchemaFault(reason)
    const writer = sourceCodec.open(parse(text))
    try {
      writers.set(id, sourceCodec.reader(writer, opened ?? writer))
    } catch (error) {
      if (!isFault(error)) throw error
      refuse(`the schema of the event (id ${id}) cannot be read as the declared one: ${faultText(error)}`, 'incoming_schema')
    }
    return ''
  } catch (error) {
    refuse(`the schema of the event (id ${id}) cannot be used: ${faultText(error)}`, 'decode')
    return faultText(error)
  }
}

function openTarget(codec, target) {
  if (target.schema === null) throw new SchemaFault('the format needs a schema to write with')
  if (target.prefix && target.schema.id === null) throw new SchemaFault('a wire prefix needs the id of a schema in a registry; set wire_prefix: false')
  const schema = codec.open(target.schema)
  const write = codec.writer(schema)
  const prefix = target.prefix ? codec.prefix(schema) : []
  const start = target.prefix ? PREFIX_BYTES + prefix.length : 0
  const readBack = config.trace ? codec.raw(schema) : null
  return value => {
    written = depth = 0
    if (output.length > KEPT_BYTES) writeTo(new BytesOf(4096))
    if (start > 0) {
      reserve(start)
      output[0] = MAGIC
      outputView.setUint32(1, target.schema.id)
      output.set(prefix, PREFIX_BYTES)
      written = start
    }
    try {
      write(value)
    } catch (error) {
      if (isFault(error)) error.stage = 'outgoing_schema'
      throw error
    }
    if (readBack === null) return written === 0 ? ' ' : viewOf(output, 0, written).toBase64() // '' is no output; blanks are none of base64
    depth = 0
    return stringify(readElsewhere(viewOf(output, start, written - start), readBack))
  }
}
