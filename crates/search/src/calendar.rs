//! The words that dates are written with, by language.

/// How far a word tells a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MonthWord {
    /// Nothing but a month.
    Clear,
    /// Also another word: it needs a capital letter or a preposition.
    Ambiguous,
    /// Needs a day or a year beside it.
    Short,
}

const CLEAR: [&str; 12] = [
    "january januar jänner janvier enero gennaio janeiro januari",
    "february februar feber février fevrier febrero febbraio fevereiro februari",
    "märz marzo março maart",
    "april abril aprile avril",
    "mayo maggio maio mei",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august août agosto augustus augusti",
    "september septembre septiembre setiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember décembre decembre diciembre dicembre dezembro",
];

const AMBIGUOUS: [(&str, u8); 4] = [("may", 5), ("march", 3), ("mai", 5), ("maj", 5)];

const SHORT: [&str; 12] = [
    "jan ene gen",
    "feb fév fev",
    "mar mars mär mrz mrt",
    "apr avr abr",
    "mag",
    "jun giu",
    "jul lug",
    "aug ago",
    "sep sept set",
    "oct okt ott out",
    "nov",
    "dec dez déc dic",
];

/// The month of a lower-case word, from 1.
pub(crate) fn month(word: &str) -> Option<(u8, MonthWord)> {
    let listed = |lists: &[&str; 12]| {
        let at = lists.iter().position(|list| list.split(' ').any(|known| known == word))?;
        u8::try_from(at + 1).ok()
    };
    let ambiguous = || AMBIGUOUS.iter().find(|(known, _)| *known == word).map(|(_, month)| *month);
    listed(&CLEAR)
        .map(|month| (month, MonthWord::Clear))
        .or_else(|| ambiguous().map(|month| (month, MonthWord::Ambiguous)))
        .or_else(|| listed(&SHORT).map(|month| (month, MonthWord::Short)))
}

/// Words that a month or a year may follow.
pub(crate) fn introduces_date(word: &str) -> bool {
    const WORDS: &str = "in im en em nel during of since until by before after from around about on through \
        depuis pendant durante desde hasta seit vor nach ab bis vom anfang mitte ende début fin sinds tot von \
        early late mid i del dal dans year years jahr jahre année an año anno ano jaar";
    WORDS.split_whitespace().any(|known| known == word)
}

/// Words that a year may follow: seasons and feasts.
pub(crate) fn joins_date(word: &str) -> bool {
    const WORDS: &str = "spring summer autumn fall winter christmas easter frühling frühjahr sommer herbst \
        weihnachten ostern printemps été automne hiver noël pâques primavera verano otoño invierno navidad estate \
        autunno inverno natale verão outono natal lente zomer herfst kerst";
    WORDS.split_whitespace().any(|known| known == word)
}

/// Words that make the month after them depend on when it is said.
pub(crate) fn relative(word: &str) -> bool {
    const WORDS: &str = "last next this past previous coming letzten letzter nächsten diesen dernier prochain \
        pasado próximo scorso prossimo passado vorige volgende";
    WORDS.split_whitespace().any(|known| known == word)
}
