//! The days, months and years that a question names, in the formats people write.
//!
//! Relative dates ("last March", "yesterday") name nothing here: the question does not say when it is asked.

use crate::analyze::normalize;
use crate::calendar::{MonthWord, introduces_date, joins_date, month, relative};
use time::OffsetDateTime;

/// A named time: what is not given is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DateSpec {
    /// The year.
    pub year: Option<i32>,
    /// The month, from 1.
    pub month: Option<u8>,
    /// The day, from 1.
    pub day: Option<u8>,
}

impl DateSpec {
    /// Is `at` (Unix milliseconds, in UTC) within the named time?
    pub fn holds(&self, at: u64) -> bool {
        let seconds = i64::try_from(at / 1000).unwrap_or(i64::MAX);
        let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else { return false };
        self.year.is_none_or(|year| year == at.year())
            && self.month.is_none_or(|month| month == u8::from(at.month()))
            && self.day.is_none_or(|day| day == at.day())
    }

    fn plausible(self) -> Option<Self> {
        let year = self.year.is_none_or(|year| (1900..2100).contains(&year));
        let month = self.month.is_none_or(|month| (1..=12).contains(&month));
        let day = self.day.is_none_or(|day| (1..=31).contains(&day));
        (year && month && day).then_some(self)
    }
}

/// Every date that `text` names, in order. Where day and month cannot be told apart, both readings.
pub fn dates(text: &str) -> Vec<DateSpec> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = Here { tokens: &tokens, at };
        let read =
            [numeric(here), ideographic(here), day_first(here), month_first(here), year(here)];
        match read.into_iter().flatten().next() {
            Some((specs, taken)) => {
                found.extend(specs.into_iter().filter_map(DateSpec::plausible));
                at += taken;
            }
            None => at += 1,
        }
    }
    found
}

/// Digits, letters or one other character.
#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    capital: bool,
    spaced: bool,
    number: Option<u32>,
}

/// A place in the tokens.
#[derive(Clone, Copy)]
struct Here<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Here<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn before(&self) -> Option<&Token> {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at))
    }

    /// A number of `digits` digits.
    fn number(&self, ahead: usize, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
        let token = self.token(ahead)?;
        token.number.filter(|_| digits.contains(&token.text.len()))
    }

    fn is(&self, ahead: usize, texts: &[&str]) -> bool {
        self.token(ahead).is_some_and(|token| texts.contains(&token.text.as_str()))
    }

    fn skip(&self, ahead: usize, texts: &[&str]) -> usize {
        ahead + usize::from(self.is(ahead, texts))
    }

    fn glued(&self, ahead: usize) -> bool {
        self.token(ahead).is_some_and(|token| !token.spaced)
    }

    /// A four-digit year, after what may stand between it and a month.
    fn year_after(&self, ahead: usize) -> Option<(i32, usize)> {
        let at = self.skip(self.skip(ahead, &[",", "."]), &["of", "de", "del"]);
        let year = self.number(at, 4..=4).filter(|year| (1900..2100).contains(year))?;
        Some((year as i32, at + 1))
    }
}

type Read = Option<(Vec<DateSpec>, usize)>;

fn spec(year: Option<u32>, month: Option<u32>, day: Option<u32>) -> DateSpec {
    let small = |number: Option<u32>| number.map(|number| number.min(255) as u8);
    DateSpec { year: year.map(|year| year as i32), month: small(month), day: small(day) }
}

/// `2023-05-07`, `2023/5/7`, `2023-05`, `07.05.2023`, `5/7/23`.
fn numeric(here: Here) -> Read {
    let parts = |length: usize| (1..length).all(|ahead| here.glued(ahead));
    let separator = here.token(1).filter(|token| ["-", "/", "."].contains(&token.text.as_str()))?;
    let twice = here.token(3).is_some_and(|token| token.text == separator.text);
    let second = here.number(2, 1..=2)?;
    if let Some(year) = here.number(0, 4..=4) {
        let third = here.number(4, 1..=2).filter(|_| twice && parts(5));
        let dotted = separator.text == "." && third.is_none();
        let taken = if third.is_some() { 5 } else { 3 };
        let read = (vec![spec(Some(year), Some(second), third)], taken);
        return (parts(3) && !dotted).then_some(read);
    }
    let first = here.number(0, 1..=2)?;
    let year = here.number(4, 4..=4).or_else(|| here.number(4, 2..=2).map(|year| 2000 + year))?;
    if !twice || !parts(5) {
        return None;
    }
    let mut specs = vec![spec(Some(year), Some(second), Some(first))];
    if separator.text != "." && first != second {
        specs.push(spec(Some(year), Some(first), Some(second)));
    }
    Some((specs, 5))
}

/// `2023年5月7日`, `5月7日`, `2023년 5월`.
fn ideographic(here: Here) -> Read {
    let unit = |ahead: usize, units: [&str; 2]| {
        let token = here.token(ahead)?;
        units.iter().any(|unit| token.text.starts_with(unit)).then_some(())
    };
    let part = |at: usize, units| {
        let number = here.number(at, 1..=4)?;
        unit(at + 1, units).map(|()| number)
    };
    let year = part(0, ["年", "년"]);
    let month_at = if year.is_some() { 2 } else { 0 };
    let month = part(month_at, ["月", "월"]);
    let day = month.and_then(|_| part(month_at + 2, ["日", "일"]));
    let taken = [year, month, day].iter().flatten().count() * 2;
    (taken > 0).then(|| (vec![spec(year, month, day)], taken))
}

/// `7 May 2023`, `7th of May`, `7. Mai`, `7 de mayo de 2023`, `1er mai`.
fn day_first(here: Here) -> Read {
    let day = here.number(0, 1..=2)?;
    let at = here.skip(1, &["st", "nd", "rd", "th", "er", "º", "°", "ª", ".", "e", ":e"]);
    let at = here.skip(here.skip(at, &["of", "de", "di"]), &["the"]);
    let (month, _) = here.token(at).and_then(|token| month(&token.text))?;
    let at = here.skip(at + 1, &["."]);
    let year = here.year_after(at);
    let read = spec(year.map(|(year, _)| year as u32), Some(u32::from(month)), Some(day));
    Some((vec![read], year.map_or(at, |(_, taken)| taken)))
}

/// `May 2023`, `May 7, 2023`, `May 7th`, `in May`, `Mai 2023`, `mayo de 2023`.
fn month_first(here: Here) -> Read {
    let word = here.token(0)?;
    let (month, kind) = month(&word.text)?;
    let dotted = here.skip(1, &["."]);
    let at = if kind == MonthWord::Short { dotted } else { 1 };
    if let Some((year, taken)) = here.year_after(at) {
        return Some((vec![spec(Some(year as u32), Some(month.into()), None)], taken));
    }
    if let Some(day) = here.number(at, 1..=2).filter(|day| (1..=31).contains(day)) {
        let after = here.skip(at + 1, &["st", "nd", "rd", "th"]);
        let year = here.year_after(after);
        let read = spec(year.map(|(year, _)| year as u32), Some(month.into()), Some(day));
        return Some((vec![read], year.map_or(after, |(_, taken)| taken)));
    }
    let introduced = here.before().is_some_and(|before| introduces_date(&before.text));
    let relative = here.before().is_some_and(|before| relative(&before.text));
    let capital = word.capital && here.at > 0;
    let names = match kind {
        MonthWord::Clear => !relative,
        MonthWord::Ambiguous => !relative && (introduced || capital),
        MonthWord::Short => false,
    };
    names.then(|| (vec![spec(None, Some(month.into()), None)], 1))
}

/// `in 2023`, `summer 2023`, `… 2023?`.
fn year(here: Here) -> Read {
    let year = here.number(0, 4..=4).filter(|year| (1900..2100).contains(year))?;
    let before = here.before();
    let introduced =
        before.is_some_and(|before| introduces_date(&before.text) || joins_date(&before.text));
    let last = (1..4).all(|ahead| here.token(ahead).is_none_or(|token| token.text.len() == 1))
        && before.is_some_and(|before| before.text.chars().all(char::is_alphabetic));
    (introduced || last).then(|| (vec![spec(Some(year), None, None)], 1))
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut spaced = true;
    let mut last = None;
    for c in text.chars() {
        let class = if c.is_ascii_digit() {
            Some(0)
        } else if c.is_alphabetic() {
            Some(1)
        } else {
            None
        };
        if c.is_whitespace() {
            spaced = true;
            last = None;
            continue;
        }
        match tokens.last_mut().filter(|_| class.is_some() && class == last) {
            Some(token) => token.text.push(c),
            None => tokens.push(Token {
                text: c.to_string(),
                capital: c.is_uppercase(),
                spaced,
                number: None,
            }),
        }
        spaced = false;
        last = class;
    }
    for token in &mut tokens {
        token.number = token.text.parse().ok();
        token.text = normalize(&token.text).into_owned();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i32, month: u8, day: u8) -> DateSpec {
        let some = |number: u8| (number > 0).then_some(number);
        DateSpec { year: (year > 0).then_some(year), month: some(month), day: some(day) }
    }

    #[test]
    fn the_formats_that_people_write_are_read() {
        let cases = [
            ("What happened in May 2023?", date(2023, 5, 0)),
            ("on 7 May 2023", date(2023, 5, 7)),
            ("on May 7, 2023", date(2023, 5, 7)),
            ("on the 7th of May, 2023", date(2023, 5, 7)),
            ("since 2023-05-07", date(2023, 5, 7)),
            ("during 2023-05", date(2023, 5, 0)),
            ("in 2023", date(2023, 0, 0)),
            ("who came in summer 2022", date(2022, 0, 0)),
            ("on May 7th", date(0, 5, 7)),
            ("on Sept. 3", date(0, 9, 3)),
            ("was war im Mai", date(0, 5, 0)),
            ("am 7. März 2023", date(2023, 3, 7)),
            ("am 07.05.2023", date(2023, 5, 7)),
            ("le 1er août 2021", date(2021, 8, 1)),
            ("el 7 de mayo de 2023", date(2023, 5, 7)),
            ("em março de 2020", date(2020, 3, 0)),
            ("op 3 mei 2021", date(2021, 5, 3)),
            ("nel luglio 2022", date(2022, 7, 0)),
            ("2023年5月7日に何が", date(2023, 5, 7)),
            ("who moved in may", date(0, 5, 0)),
        ];
        for (text, expected) in cases {
            assert_eq!(dates(text), [expected], "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_read_both_ways() {
        assert_eq!(dates("on 5/7/2023"), [date(2023, 7, 5), date(2023, 5, 7)]);
        assert_eq!(dates("on 25/7/2023"), [date(2023, 7, 25)]);
    }

    #[test]
    fn words_and_numbers_that_are_no_dates_name_nothing() {
        for text in [
            "May I ask",
            "they march on",
            "it may rain",
            "2000 euros for a car",
            "room 101",
            "last March",
            "version 1.2.3",
            "in 12 days",
        ] {
            assert_eq!(dates(text), [], "{text}");
        }
    }

    #[test]
    fn a_month_without_a_year_holds_every_year() {
        let may = date(0, 5, 0);
        assert!(may.holds(1_683_460_800_000) && may.holds(1_715_083_200_000));
        assert!(!may.holds(1_686_139_200_000));
    }
}
