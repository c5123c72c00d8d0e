//! What flows to and from the programs of containers.

use bytes::Bytes;

use crate::message::{enumeration, message};
use crate::v1::{DurationInfo, TtyInfo};

enumeration! {
    /// What a record is about.
    pub enum ProcessIoType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The program's input or output.
        Data "DATA" = 1,
        /// The stream itself, or the terminal.
        Control "CONTROL" = 2,
    }
    /// Which of a program's three streams.
    pub enum ProcessIoDataType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// What it reads.
        Stdin "STDIN" = 1,
        /// What it writes.
        Stdout "STDOUT" = 2,
        /// What it complains about.
        Stderr "STDERR" = 3,
    }
    /// What is controlled.
    pub enum ProcessIoControlType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// The size of the terminal.
        TtyInfo "TTY_INFO" = 1,
        /// Nothing: the sender is there.
        Heartbeat "HEARTBEAT" = 2,
    }
}

message! {
    /// A piece of one of a program's streams; an empty piece of STDIN is its end.
    pub struct ProcessIoData {
        r#type: optional ProcessIoDataType = 1,
        data: optional Bytes = 2,
    }
    /// The sender is there.
    pub struct ProcessIoHeartbeat {
        /// How often it says so.
        interval: optional DurationInfo = 1,
    }
    /// Not for the program itself.
    pub struct ProcessIoControl {
        r#type: optional ProcessIoControlType = 1,
        tty_info: optional TtyInfo = 2,
        heartbeat: optional ProcessIoHeartbeat = 3,
    }
    /// One record of a stream.
    pub struct ProcessIo {
        r#type: optional ProcessIoType = 1,
        data: optional ProcessIoData = 2,
        control: optional ProcessIoControl = 3,
    }
}

impl ProcessIo {
    /// A piece of a stream.
    pub fn piece(r#type: ProcessIoDataType, data: Bytes) -> ProcessIo {
        let data = ProcessIoData { r#type: Some(r#type), data: Some(data) };
        ProcessIo { r#type: Some(ProcessIoType::Data), data: Some(data), control: None }
    }

    /// A sign of life, given so often.
    pub fn heartbeat(interval_ms: u64) -> ProcessIo {
        let heartbeat = ProcessIoHeartbeat { interval: Some(DurationInfo::from_milliseconds(interval_ms)) };
        let kind = Some(ProcessIoControlType::Heartbeat);
        let control = ProcessIoControl { r#type: kind, tty_info: None, heartbeat: Some(heartbeat) };
        ProcessIo { r#type: Some(ProcessIoType::Control), data: None, control: Some(control) }
    }

    /// The terminal has another size.
    pub fn resize(tty_info: TtyInfo) -> ProcessIo {
        let kind = Some(ProcessIoControlType::TtyInfo);
        let control = ProcessIoControl { r#type: kind, tty_info: Some(tty_info), heartbeat: None };
        ProcessIo { r#type: Some(ProcessIoType::Control), data: None, control: Some(control) }
    }
}
