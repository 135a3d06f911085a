// SPDX-License-Identifier: MIT
//! The console.

use crate::machine;
use core::fmt;

pub struct Console;

impl Console {
    pub fn write(bytes: &[u8]) {
        for byte in bytes {
            machine::put(*byte);
        }
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        Self::write(text.as_bytes());
        Ok(())
    }
}

#[macro_export]
macro_rules! println {
    ($($arguments:tt)*) => {{
        use core::fmt::Write;
        // The console takes all bytes.
        let _ = writeln!($crate::console::Console, $($arguments)*);
    }};
}
