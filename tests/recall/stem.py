"""Content stems of an English sentence: stop words out, Porter's algorithm (1980) on the rest.

Porter, "An algorithm for suffix stripping", Program 14(3); the two departures of the author's own later
version (`bli`, `logi`) are in.
"""
import re

STOP = frozenset("""
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
its itself they them their theirs themselves what which who whom this that these those am is are was were be been
being have has had having do does did doing would should could ought will shall can may might must a an the and but
if or because as until while of at by for with about against between into through during before after above below to
from up down in out on off over under again further then once here there when where why how all any both each few
more most other some such no nor not only own same so than too very just also im youre hes shes its were theyre ive
youve weve theyve id youd hed shed wed theyd ill youll hell shell well theyll isnt arent wasnt werent hasnt havent
hadnt doesnt dont didnt wont wouldnt shant shouldnt cant cannot couldnt mustnt lets thats whos whats heres theres
whens wheres whys hows s t
""".split())


def _consonant(word, i):
    c = word[i]
    if c in "aeiou":
        return False
    return i == 0 or not _consonant(word, i - 1) if c == "y" else True


def _measure(stem):
    shape = "".join("c" if _consonant(stem, i) else "v" for i in range(len(stem)))
    return len(re.findall("v+c+", shape))


def _vowel(stem):
    return any(not _consonant(stem, i) for i in range(len(stem)))


def _double(word):
    return len(word) > 1 and word[-1] == word[-2] and _consonant(word, len(word) - 1)


def _cvc(word):
    n = len(word)
    return (n > 2 and _consonant(word, n - 3) and not _consonant(word, n - 2) and _consonant(word, n - 1)
            and word[-1] not in "wxy")


STEP2 = [p.split(":") for p in """ational:ate tional:tion enci:ence anci:ance izer:ize bli:ble alli:al entli:ent eli:e
ousli:ous ization:ize ation:ate ator:ate alism:al iveness:ive fulness:ful ousness:ous aliti:al iviti:ive biliti:ble
logi:log""".split()]
STEP3 = [p.split(":") for p in "icate:ic ative: alize:al iciti:ic ical:ic ful: ness:".split()]
STEP4 = "ement ance ence able ible ment ant ent ism ate iti ous ive ize ion al er ic ou".split()


def _plural(w):
    if w.endswith(("sses", "ies")):
        return w[:-2]
    return w[:-1] if w.endswith("s") and not w.endswith("ss") else w


def _past(w):
    if w.endswith("eed"):
        return w[:-1] if _measure(w[:-3]) > 0 else w
    for suffix in ("ed", "ing"):
        if w.endswith(suffix) and _vowel(w[:-len(suffix)]):
            w = w[:-len(suffix)]
            if w.endswith(("at", "bl", "iz")):
                return w + "e"
            if _double(w) and w[-1] not in "lsz":
                return w[:-1]
            return w + "e" if _measure(w) == 1 and _cvc(w) else w
    return w


def _replace(w, table):
    for suffix, new in sorted(table, key=lambda p: -len(p[0])):
        if w.endswith(suffix):
            return w[:-len(suffix)] + new if _measure(w[:-len(suffix)]) > 0 else w
    return w


def _drop(w):
    for suffix in STEP4:
        if w.endswith(suffix):
            stem = w[:-len(suffix)]
            good = _measure(stem) > 1 and (suffix != "ion" or stem.endswith(("s", "t")))
            return stem if good else w
    return w


def porter(w):
    """The stem of one lower-case word; words of one or two letters, or with other letters than a-z, stay."""
    if len(w) < 3 or not re.fullmatch("[a-z]+", w):
        return w
    w = _past(_plural(w))
    if w.endswith("y") and _vowel(w[:-1]):
        w = w[:-1] + "i"
    w = _drop(_replace(_replace(w, STEP2), STEP3))
    if w.endswith("e") and (_measure(w[:-1]) > 1 or (_measure(w[:-1]) == 1 and not _cvc(w[:-1]))):
        w = w[:-1]
    return w[:-1] if _double(w) and w.endswith("l") and _measure(w) > 1 else w


def words(text):
    """Content words: lower case, apostrophes closed up, possessive and stop words gone."""
    text = re.sub(r"[’']s\b", "", text.lower())
    found = re.findall(r"\w+", re.sub("[’']", "", text))
    return [w for w in found if w not in STOP]


def stems(text, stem=porter):
    """The set of content stems of a text."""
    return {stem(w) for w in words(text)}


def shared(a, b, stem=porter):
    """Stems that two texts share: equal, or one (four letters or more) opening the other, in either direction."""
    left, right = stems(a, stem), stems(b, stem)
    return sorted(x for x in left for y in right
                  if x == y or (len(x) > 3 and y.startswith(x)) or (len(y) > 3 and x.startswith(y)))
