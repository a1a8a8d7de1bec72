//! Words too common to tell anything, by language; they also tell the language of a text.

use crate::Language;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Languages in which the lower-case `word` is a stop word, as bits of [`Language::bit`].
pub(crate) fn mask(word: &str) -> u32 {
    static MASKS: OnceLock<HashMap<&'static str, u32, FixedState>> = OnceLock::new();
    let masks = MASKS.get_or_init(|| {
        let mut masks = HashMap::<&'static str, u32, _>::default();
        for (language, words) in WORDS {
            for word in words.split_whitespace() {
                *masks.entry(word).or_insert(0) |= language.bit();
            }
        }
        masks
    });
    masks.get(word).copied().unwrap_or(0)
}

const WORDS: &[(Language, &str)] = &[
    (
        Language::English,
        "a about after again all also am an and any are aren't as at be because been before being but by can can't \
         could couldn't did didn't do does doesn't doing don't down for from get got had hadn't has hasn't have haven't having \
         he he'd he'll he's her here hers herself him himself his how i i'd i'll i'm i've if in into is isn't it it'd it'll it's \
         its itself just let's me more most my myself no nor not now of off on once only or other our ours ourselves out over \
         own same she she'd she'll she's should shouldn't so some such than that that's the their theirs them themselves then \
         there there's these they they'd they'll they're they've this those through to too under until up us very was wasn't \
         we we'd we'll we're we've were weren't what what's when where where's which while who who's whom whose why will with \
         won't would wouldn't you you'd you'll you're you've your yours yourself",
    ),
    (
        Language::German,
        "aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei bin bis bist da dafür damit \
         dann das dass dein deine deinem deinen deiner dem den denn der des dich die dies diese diesem diesen dieser dieses dir \
         doch dort du durch ein eine einem einen einer eines er es etwas euch euer eure für gegen gewesen hab habe haben hat \
         hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder \
         jedes jetzt kann kein keine keinen keiner können könnte mache man mein meine meinem meinen meiner mich mir mit muss \
         nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seit sich sie sind so solche soll \
         sondern über um und uns unser unsere unter viel vom von vor wann war waren warum was weil welche welchem welchen \
         welcher welches wenn wer werde werden wessen wie wieder will wir wird wo wollen wurde wurden würde zu zum zur zwar \
         zwischen",
    ),
    (
        Language::French,
        "à ai as au aux avait avec avez avons c ce ceci cela celle celui ces cet cette ceux chez comment d dans de depuis des \
         donc dont du elle elles en es est et étaient était été être eu eux fait ici il ils j je l la laquelle le lequel les \
         leur leurs lui m ma mais me même mes moi mon n ne ni nos notre nous on ont ou où par pas pendant plus pour pourquoi \
         qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si son sont sur t ta te tes toi ton tout tous \
         très tu un une vos votre vous y c'est j'ai n'est qu'il d'un d'une",
    ),
    (
        Language::Spanish,
        "a al algo ante antes aquí así aún como cómo con cuál cuándo cuando de del desde donde dónde dos e el él ella ellas \
         ellos en entre era es esa ese eso esta está están este esto estos fue fueron ha había han hasta hay he la las le les \
         lo los más me mi mis mucho muy nada ni no nos nosotros o os otra otro para pero poco por porque qué que quién quien \
         se sea ser será si sí sin sobre son soy su sus también tanto te tiene todo todos tu tú tus un una uno unos usted y ya \
         yo",
    ),
    (
        Language::Italian,
        "a abbiamo ad agli ai al alla alle allo anche avere aveva c che chi ci cioè come con cosa cui da dagli dai dal dalla \
         dalle dei del della delle dello di dove e è ed era erano essere fra gli ha hai hanno ho i il in io l la le lei li lo \
         loro lui ma mi mia mie mio molto ne nei nel nella nelle noi non nostra nostro o ogni per perché perchè più poi può \
         quale quali quando quanto quella quelle quelli quello questa queste questi questo sarà se sei si sia siamo sono sta su \
         sua sue sugli sul sulla suo suoi tra tu tua tuo tutti tutto un una uno vi voi",
    ),
    (
        Language::Portuguese,
        "a à ao aos as às até com como da das de dela dele deles depois do dos e é ela elas ele eles em entre era essa esse \
         esta está estava este eu foi foram há isso isto já lhe mais mas me mesmo meu minha muito na não nas nem no nos nós \
         nossa nosso num numa o onde os ou para pela pelas pelo pelos por porque qual quando quanto que quem são se sem ser seu \
         seus só sua suas também te tem tinha tu tua um uma você vocês",
    ),
    (
        Language::Dutch,
        "aan al alles als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus een eens en er ge geen \
         geweest haar had heb hebben heeft hem het hier hij hoe hun iemand iets ik in is ja je jij jou jouw kan kon kunnen maar \
         me meer men met mij mijn moet na naar niet niets nog nu of om omdat ons ook op over reeds te tegen toch toen tot u uit \
         uw van veel voor waar waarom wanneer want waren was wat we welke werd wie wij wil worden zal ze zei zelf zich zij zijn zo \
         zonder zou",
    ),
    (
        Language::Swedish,
        "allt att av blev bli då de dem den denna deras dess det detta dig din du efter ej eller en er ett för från ha hade han \
         har hon honom hur här i icke in inte jag ju kan kunde man med mellan men mig min mitt mot mycket ni nu när någon något \
         och om oss på samma sedan sig sin ska skulle som så till under upp ut utan vad var varför varit vem vi vid vilka vilken \
         är över",
    ),
    (
        Language::Russian,
        "а без бы был была были было быть в вам вас ведь во вот все всё вы где да для до его ее её если есть еще ещё же за и из \
         или им их к как какой когда кого кто ли меня мне мы на не него нее нет но ну о об он она они оно от по под почему при с \
         сам себя со так там тебя то тоже только ты у уже что чтобы это этого этой этот я",
    ),
];
