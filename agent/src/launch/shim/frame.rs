//! Frames on a line between shim and client: a header of eight bytes (kind, three zeros, length) and
//! the payload. For output it is the form of Docker's attach streams.

const HEADER: usize = 8;
/// No frame's payload is longer.
const LONGEST: usize = 64 * 1024;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// From the client: input; empty at its end.
    Input = 0,
    Output = 1,
    Error = 2,
    /// The process ended: [`Exit`](crate::launch::Exit) in JSON. Nothing follows.
    Exit = 3,
    /// From the client: rows and columns, 16 bits each, most significant byte first.
    Resize = 4,
    /// From the client: let a workload that was created run. Answered by `Welcome` or `Refused`.
    Start = 5,
    /// From the client, first: [`Hello`](super::Hello) in JSON.
    Hello = 6,
    /// The answer: [`Welcome`](super::Welcome) in JSON.
    Welcome = 7,
    /// Why something was not done, as text.
    Refused = 8,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub payload: Vec<u8>,
}

/// The other side does not speak this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a frame of {0} bytes")]
    Length(u32),
}

impl Kind {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Input,
            1 => Self::Output,
            2 => Self::Error,
            3 => Self::Exit,
            4 => Self::Resize,
            5 => Self::Start,
            6 => Self::Hello,
            7 => Self::Welcome,
            8 => Self::Refused,
            _ => return None,
        })
    }

    /// Appends frames of this kind with the bytes; one, if they are few or none.
    pub fn encode(self, mut bytes: &[u8], to: &mut Vec<u8>) {
        loop {
            let (now, later) = bytes.split_at(bytes.len().min(LONGEST));
            let length = u32::try_from(now.len()).unwrap_or(0);
            to.extend_from_slice(&[self as u8, 0, 0, 0]);
            to.extend_from_slice(&length.to_be_bytes());
            to.extend_from_slice(now);
            if later.is_empty() {
                return;
            }
            bytes = later;
        }
    }
}

/// Frames out of bytes that come in pieces.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// What came is no frame; nothing after it can be understood.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(&[kind, _, _, _, a, b, c, d]) = self.bytes.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let kind = Kind::of(kind).ok_or(FrameError::Kind(kind))?;
        let length = u32::from_be_bytes([a, b, c, d]);
        let end = match usize::try_from(length) {
            Ok(length) if length <= LONGEST => HEADER + length,
            _ => return Err(FrameError::Length(length)),
        };
        let Some(payload) = self.bytes.get(HEADER..end) else {
            return Ok(None);
        };
        let payload = payload.to_vec();
        self.bytes.drain(..end);
        Ok(Some(Frame { kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn output_is_as_docker_has_it() {
        let mut bytes = Vec::new();
        Kind::Error.encode(b"hi", &mut bytes);
        assert_eq!(bytes, [2, 0, 0, 0, 0, 0, 0, 2, b'h', b'i']);
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            payloads in proptest::collection::vec((0_u8..9, proptest::collection::vec(any::<u8>(), 0..99)), 0..9),
            piece in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for (kind, payload) in &payloads {
                Kind::of(*kind).unwrap().encode(payload, &mut bytes);
            }
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(piece) {
                frames.push(piece);
                while let Some(frame) = frames.next_frame().unwrap() {
                    found.push((frame.kind as u8, frame.payload));
                }
            }
            prop_assert_eq!(found, payloads);
        }

        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            while let Ok(Some(_)) = frames.next_frame() {}
        }
    }

    #[test]
    fn long_payloads_are_several_frames() {
        let long = vec![7; LONGEST + 1];
        let mut bytes = Vec::new();
        Kind::Output.encode(&long, &mut bytes);
        let mut frames = Frames::default();
        frames.push(&bytes);
        let (first, second) = (frames.next_frame(), frames.next_frame());
        assert_eq!(first.unwrap().unwrap().payload.len(), LONGEST);
        assert_eq!(second.unwrap().unwrap().payload.len(), 1);
    }
}
