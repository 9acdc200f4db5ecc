//! The few messages of ONNX's protobuf format that a network needs, written by hand: a message is its fields one after the
//! other, each a key (number and wire type) and a value.

/// Bytes of a message under construction.
#[derive(Debug, Default, Clone)]
pub(super) struct Message(Vec<u8>);

/// Wire types: a number of variable length, four bytes, and bytes with their length before them.
const VARINT: u32 = 0;
const BYTES: u32 = 2;
const FOUR: u32 = 5;

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    /// A whole number.
    pub(super) fn int(mut self, field: u32, value: i64) -> Self {
        self.key(field, VARINT);
        self.varint(value as u64);
        self
    }

    /// A float.
    pub(super) fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, FOUR);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A text, or bytes.
    pub(super) fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        self.key(field, BYTES);
        self.varint(value.as_ref().len() as u64);
        self.0.extend(value.as_ref());
        self
    }

    /// Several of one field, in order.
    pub(super) fn each<T: AsRef<[u8]>>(self, field: u32, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |message, value| message.bytes(field, value))
    }

    /// The finished bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataType {
    Float = 1,
    Int64 = 7,
    Float16 = 10,
}

/// A `TensorProto` from its values' bytes, little-endian in row-major order.
pub(super) fn tensor(name: &str, data_type: DataType, shape: &[usize], raw: Vec<u8>) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, &d| m.int(1, d as i64));
    dims.int(2, data_type as i64).bytes(8, name).bytes(9, raw)
}

/// An extent of an input or output.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dim<'a> {
    /// Known when the file is written.
    Fixed(usize),
    /// Whatever the caller brings, under this name.
    Free(&'a str),
}

/// A `ValueInfoProto` of floats: the name and type of an input or output.
pub(super) fn value_info(name: &str, shape: &[Dim<'_>]) -> Message {
    let dim = |d: &Dim<'_>| match d {
        Dim::Fixed(n) => Message::default().int(1, *n as i64),
        Dim::Free(name) => Message::default().bytes(2, name),
    };
    let shape = Message::default().each(1, shape.iter().map(dim));
    let tensor = Message::default().int(1, DataType::Float as i64).bytes(2, shape);
    Message::default().bytes(1, name).bytes(2, Message::default().bytes(1, tensor))
}

/// The value of an attribute.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
}

fn attribute(name: &str, value: &Attribute) -> Message {
    let message = Message::default().bytes(1, name);
    match value {
        Attribute::Float(v) => message.float(2, *v).int(20, 1),
        Attribute::Int(v) => message.int(3, *v).int(20, 2),
        Attribute::Ints(values) => values.iter().fold(message, |m, &v| m.int(8, v)).int(20, 7),
    }
}

/// A `NodeProto` with one output, whose name it bears.
pub(super) fn node(op: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Message {
    let message = Message::default().each(1, inputs).bytes(2, output).bytes(3, output).bytes(4, op);
    message.each(5, attributes.iter().map(|(name, value)| attribute(name, value)))
}

/// A `StringStringEntryProto`.
pub(super) fn entry(key: &str, value: &str) -> Message {
    Message::default().bytes(1, key).bytes(2, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_the_format_says() {
        // the examples of protobuf's own description: 150 in field 1, "testing" in field 2
        assert_eq!(Message::default().int(1, 150).finish(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().bytes(2, "testing").finish(), b"\x12\x07testing");
        assert_eq!(Message::default().int(20, 1).finish(), [0xa0, 0x01, 0x01]);
        assert_eq!(Message::default().float(2, 1.0).finish(), [0x15, 0, 0, 0x80, 0x3f]);
        // negative numbers take ten bytes
        assert_eq!(Message::default().int(1, -1).finish(), [&[0x08][..], &[0xff; 9], &[0x01]].concat());
    }
}
