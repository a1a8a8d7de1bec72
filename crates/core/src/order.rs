//! The one order of all records of a user: hybrid time, then the object's ULID, then the place in the object.

use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use ulid::Ulid;

/// How far a foreign hybrid time may lie ahead of our clock and still raise ours, in milliseconds.
pub const MAX_AHEAD: u64 = 5_000;

/// Hybrid time: 48 bits of Unix milliseconds, 16 bits of a counter. In text 16 hex digits, so that text sorts alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The first hybrid time of a millisecond.
    pub fn at(milliseconds: u64) -> Self {
        Self(milliseconds << 16)
    }

    /// Unix milliseconds.
    pub fn milliseconds(self) -> u64 {
        self.0 >> 16
    }

    /// A hybrid time above everything that was `seen` and not below `now` (Unix milliseconds).
    ///
    /// What was seen more than [`MAX_AHEAD`] ahead of `now` raises nothing.
    pub fn mint(now: u64, seen: impl IntoIterator<Item = Hlc>) -> Self {
        let highest = seen.into_iter().filter_map(|hlc| hlc.followed(now)).max();
        Self::at(now).max(Self(highest.unwrap_or_default().0 + 1))
    }

    /// Itself, unless it lies more than [`MAX_AHEAD`] ahead of `now` (Unix milliseconds): then no clock follows it.
    pub fn followed(self, now: u64) -> Option<Self> {
        (self <= Self::at(now + MAX_AHEAD)).then_some(self)
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Hlc {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hlc {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let hlc = u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)?;
        if hlc.to_string() != *text {
            return Err(serde::de::Error::custom("a hybrid time has 16 lower-case hex digits"));
        }
        Ok(hlc)
    }
}

/// Place of a record among all records of its user. Its text sorts as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// Hybrid time of the record.
    pub hlc: Hlc,
    /// ULID of the object.
    pub ulid: Ulid,
    /// Place in the object, from 0.
    pub position: u32,
}

impl Order {
    /// Reads the text form.
    ///
    /// # Errors
    /// `invalid` when the text is no order.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::invalid("an order has the form <16 hex>-<ulid>-<6 hex>");
        let mut parts = text.split('-');
        let (Some(hlc), Some(ulid), Some(position), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let order = Self {
            hlc: Hlc(u64::from_str_radix(hlc, 16).map_err(|_| bad())?),
            ulid: Ulid::from_string(ulid).map_err(|_| bad())?,
            position: u32::from_str_radix(position, 16).map_err(|_| bad())?,
        };
        (order.to_string() == text).then_some(order).ok_or_else(bad)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:06x}", self.hlc, self.ulid, self.position)
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::parse(&text).map_err(|e| serde::de::Error::custom(e.detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_time_is_above_all_that_was_seen() {
        let now = 1_774_000_000_000;
        assert_eq!(Hlc::mint(now, []), Hlc::at(now));
        assert_eq!(Hlc::mint(now, [Hlc::at(now)]), Hlc(Hlc::at(now).0 + 1));
        assert_eq!(Hlc::mint(now, [Hlc::at(now + 4_000)]), Hlc(Hlc::at(now + 4_000).0 + 1));
    }

    #[test]
    fn a_time_far_ahead_raises_nothing() {
        let now = 1_774_000_000_000;
        assert_eq!(Hlc::mint(now, [Hlc::at(now + 5_001)]), Hlc::at(now));
    }

    #[test]
    fn text_sorts_as_the_order_does() {
        let at = |hlc, ulid, position| Order { hlc: Hlc(hlc), ulid: Ulid(ulid), position };
        let orders = [at(1, 9, 9), at(2, 1, 2), at(2, 1, 11), at(2, 2, 0), at(300, 0, 0)];
        let texts: Vec<String> = orders.iter().map(Order::to_string).collect();
        assert!(texts.is_sorted());
        for (order, text) in orders.iter().zip(&texts) {
            assert_eq!(Order::parse(text).unwrap(), *order);
        }
        assert!(Order::parse("x").is_err());
    }
}
