//! The numbers of JSON.

use alloc::string::String;

use super::{END_OF_VALUE, Reader};
use crate::document::Document;
use crate::text::number;

const NO_NUMBER: &str = "invalid number";
const TOO_GREAT: &str = "number out of range";

impl Reader<'_> {
    /// A number behind its sign.
    pub(super) fn number(&mut self, negative: bool) -> Option<Document> {
        let mut parts = Parts::default();
        match self.next() {
            None => return self.no(END_OF_VALUE),
            Some(b'0') => {
                if let Some(b'0'..=b'9') = self.peek() {
                    return self.not_next(NO_NUMBER);
                }
            }
            Some(digit @ b'1'..=b'9') => {
                parts.add(digit);
                while let Some(digit @ b'0'..=b'9') = self.peek() {
                    self.skip();
                    if !parts.add(digit) {
                        parts.exponent = parts.exponent.saturating_add(1);
                    }
                }
            }
            Some(_) => return self.no(NO_NUMBER),
        }
        let mut whole = !parts.is_full;
        if self.peek() == Some(b'.') {
            whole = false;
            self.skip();
            self.fraction(&mut parts)?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.skip();
            self.exponent(&mut parts)?;
        }
        if parts.are_infinite() {
            return self.no(TOO_GREAT);
        }
        let value = match negative {
            // There is no whole -0.
            true => 0_i64
                .checked_sub_unsigned(parts.digits)
                .filter(|value| *value < 0),
            false => i64::try_from(parts.digits).ok(),
        };
        Some(match value {
            Some(value) if whole => Document::Integer(value),
            None if whole && !negative => Document::Fraction(number(parts.digits)),
            _ => Document::Fraction(String::new()),
        })
    }

    fn fraction(&mut self, parts: &mut Parts) -> Option<()> {
        let from = self.at;
        parts.is_full = false;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.skip();
            if parts.add(digit) {
                parts.exponent = parts.exponent.saturating_sub(1);
            }
        }
        match self.peek() {
            _ if self.at > from => Some(()),
            Some(_) => self.not_next(NO_NUMBER),
            None => self.not_next(END_OF_VALUE),
        }
    }

    fn exponent(&mut self, parts: &mut Parts) -> Option<()> {
        let mut negative = false;
        if let Some(sign @ (b'+' | b'-')) = self.peek() {
            self.skip();
            negative = sign == b'-';
        }
        let mut exponent = match self.next() {
            None => return self.no(END_OF_VALUE),
            Some(digit @ b'0'..=b'9') => i32::from(digit & 0xf),
            Some(_) => return self.no(NO_NUMBER),
        };
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.skip();
            let digit = i32::from(digit & 0xf);
            exponent = match exponent
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(digit))
            {
                Some(exponent) => exponent,
                None if parts.digits != 0 && !negative => return self.no(TOO_GREAT),
                None => i32::MAX,
            };
        }
        parts.exponent = match negative {
            true => parts.exponent.saturating_sub(exponent),
            false => parts.exponent.saturating_add(exponent),
        };
        Some(())
    }
}

/// A number: its first digits, and how many tens they are to be multiplied with.
#[derive(Default)]
struct Parts {
    digits: u64,
    exponent: i32,
    /// Whether a digit had no room.
    is_full: bool,
}

impl Parts {
    /// Adds a digit, or says that there is no room for it, and for none behind it.
    fn add(&mut self, digit: u8) -> bool {
        let digits = self.digits.checked_mul(10);
        match digits.and_then(|digits| digits.checked_add(u64::from(digit & 0xf))) {
            Some(digits) if !self.is_full => self.digits = digits,
            _ => self.is_full = true,
        }
        !self.is_full
    }

    /// Whether no number of 64 bits is that great. The greatest is 1.797...e308; all of `digits` are needed to
    /// tell, and then the rest of it is.
    fn are_infinite(&self) -> bool {
        /// The first 20 digits of what is rounded to more than the greatest, which has 309 of them.
        const BEYOND: u64 = 17_976_931_348_623_158_079;
        let Some(power @ 0..) = self.exponent.checked_sub(289) else {
            return false;
        };
        let power = u32::try_from(power).unwrap_or(u32::MAX);
        let great = 10_u64
            .checked_pow(power)
            .and_then(|power| power.checked_mul(self.digits));
        self.digits != 0 && great.is_none_or(|great| great > BEYOND)
    }
}
