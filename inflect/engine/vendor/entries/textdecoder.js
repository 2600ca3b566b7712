// protobufjs makes one of these when it is loaded; its readers, which would use it, are not used.
export class TextDecoder {}
