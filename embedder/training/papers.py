"""Papers: invoices, recipes, letters, posters and the like, drawn as PDF pages by a seeded generator."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from embedder.training.pairs import Pair


def read_papers(source: str, folder: Path) -> Iterator[Pair]:
    """Draws them into folder/rendered: the same bytes in every run, each page in its own looks."""
    home = folder / "rendered"
    home.mkdir(parents=True, exist_ok=True)
    for number, paper in enumerate(_papers(np.random.default_rng(0))):
        pdf = home / f"{number:03d}.pdf"
        _draw(paper, pdf, np.random.default_rng(number))
        yield Pair(
            source=source,
            key=pdf.name,
            group=f"{paper.kind}/{paper.subject}",
            captions=paper.captions,
            path=pdf,
            page=1,
        )


@dataclass(frozen=True, slots=True)
class _Paper:
    """One drawn page: what it is of its kind ("a new clutch"), its words for it, and what stands on it.

    Args:
        lines: text, or a pair of texts for the left and the right edge.
    """

    kind: str
    subject: str
    captions: tuple[str, ...]
    title: str
    lines: tuple[str | tuple[str, str], ...]


def _papers(random: Generator) -> Iterator[_Paper]:
    for seller, works in _TRADES.items():
        for work in works:
            yield _invoice(seller, work, random)
    for dish, parts in (*_DISHES.items(), *_DISHES.items()):
        yield _recipe(dish, parts.split(", "), random)
    for matter, (sender, text) in (*_LETTERS.items(), *_LETTERS.items()):
        yield _letter(matter, sender, text, random)
    for event, text in _EVENTS.items():
        for place in (_PLACES[int(n)] for n in random.choice(len(_PLACES), 2, replace=False)):
            yield _poster(event, text, place, random)
    for kitchen, dishes in _KITCHENS.items():
        yield _menu(kitchen, dishes.split(", "), random)
    for deed in _DEEDS:
        yield _certificate(deed, random)
    for line, stops in _LINES.items():
        yield _timetable(line, stops.split(", "), random)


def _invoice(seller: str, work: str, random: Generator) -> _Paper:
    hours, rate, material = int(random.integers(1, 9)), int(random.integers(30, 90)), int(random.integers(15, 600))
    return _Paper(
        "invoice",
        f"{seller} {work}",
        (f"an invoice from {seller} for {work}", f"bill for {work}", f"what {seller} charged for {work}"),
        "Invoice",
        (
            f"{seller.split(' ', 1)[1].capitalize()} {_name(random)}, {random.integers(2, 99)} Mill Road",
            f"Invoice number {random.integers(100, 9999)}, {_date(random)}",
            f"To {_name(random)}",
            (f"For {work}, materials", f"{material}.00"),
            (f"Labour, {hours} hours at {rate}.00", f"{hours * rate}.00"),
            ("Tax 20 %", f"{(hours * rate + material) * 0.2:.2f}"),
            ("Total to pay", f"{(hours * rate + material) * 1.2:.2f}"),
            "Please pay within fourteen days. Thank you for your custom.",
        ),
    )


def _recipe(dish: str, parts: Sequence[str], random: Generator) -> _Paper:
    minutes = int(random.integers(3, 18)) * 5
    return _Paper(
        "recipe",
        dish,
        (f"a recipe for {dish}", f"how to make {dish}", f"what to cook with {parts[0]} and {parts[1]}"),
        dish.capitalize(),
        (
            f"Serves {random.integers(2, 9)}, ready in {minutes} minutes",
            *((part, f"{random.integers(1, 10) * 50} g") for part in parts),
            f"Prepare the {parts[0]} and the {parts[1]} and set them aside.",
            f"Add the {parts[2]} and cook gently for {minutes // 2} minutes, stirring now and then.",
            f"Season to taste, finish with the {parts[-1]} and serve the {dish} at once.",
        ),
    )


def _letter(matter: str, sender: str, text: str, random: Generator) -> _Paper:
    return _Paper(
        "letter",
        matter,
        (f"a letter from {sender} about {matter}", text, f"letter concerning {matter}"),
        f"About {matter}",
        (
            _date(random),
            f"Dear {_name(random)},",
            text,
            "If you have any questions about this, please call us on weekday mornings or write to the address above.",
            "Yours sincerely,",
            f"{_name(random)}, for {sender}",
        ),
    )


def _poster(event: str, text: str, place: str, random: Generator) -> _Paper:
    when = f"{_date(random)}, {random.integers(2, 9)} o'clock"
    return _Paper(
        "poster",
        event,
        (f"a poster for {event} in {place}", f"{event}, {text}", f"when {event} takes place"),
        event.split(" ", 1)[1].capitalize(),
        (text.capitalize(), f"in {place}", when, ("Tickets at the door", f"{random.integers(3, 25)}.00")),
    )


def _menu(kitchen: str, dishes: Sequence[str], random: Generator) -> _Paper:
    return _Paper(
        "menu",
        kitchen,
        (f"the menu of {kitchen}", f"a place to eat {dishes[0]} and {dishes[1]}", f"prices for {dishes[-1]}"),
        f"{kitchen.split(' ', 1)[1].capitalize()} {_name(random)}",
        tuple((dish, f"{random.integers(4, 30)}.50") for dish in dishes),
    )


def _certificate(deed: str, random: Generator) -> _Paper:
    return _Paper(
        "certificate",
        deed,
        (f"a certificate for {deed}", f"proof of {deed}"),
        "Certificate",
        ("This is to certify that", f"{_name(random)} {_name(random)}", f"is awarded this for {deed}.", _date(random)),
    )


def _timetable(line: str, stops: Sequence[str], random: Generator) -> _Paper:
    start, step = int(random.integers(300, 540)), int(random.integers(45, 150))  # minutes
    rows = []
    for number, stop in enumerate(stops):
        minutes = range(start + 11 * number, 1_440, step)[:5]
        rows.append((stop, "  ".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in minutes)))
    return _Paper(
        "timetable",
        line,
        (f"a timetable of {line}", f"when does {line} leave from {stops[0]}", f"departures to {stops[-1]}"),
        f"Timetable of {line}",
        (*rows, "No service on public holidays."),
    )


def _name(random: Generator) -> str:
    return str(random.choice(_NAMES))


def _date(random: Generator) -> str:
    return f"{random.integers(1, 29)} {random.choice(_MONTHS)} {random.integers(1990, 2030)}"


def _draw(paper: _Paper, pdf: Path, random: Generator) -> None:
    """One A5, A4 or square page with a text layer; typeface, colours, band, frame and spacing are drawn by lot."""
    from reportlab.lib.pagesizes import A4, A5  # type: ignore[import-untyped]
    from reportlab.lib.utils import simpleSplit  # type: ignore[import-untyped]
    from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

    width, height = (A4, A5, (500.0, 500.0))[int(random.integers(3))]
    large = paper.kind in ("poster", "certificate", "menu")
    plain, bold = _TYPEFACES[int(random.integers(len(_TYPEFACES)))]
    ink, ground, band = random.uniform(0, 0.35, 3), random.uniform(0.85, 1, 3), random.uniform(0.3, 0.95, 3)
    size = width / (28 if large else 38)
    margin = width * random.uniform(0.08, 0.14)
    part = pdf.with_name(pdf.name + ".part")
    sheet = Canvas(str(part), pagesize=(width, height), invariant=1)  # no time stamp: the same bytes in every run
    if large or random.random() < 0.3:
        sheet.setFillColorRGB(*ground)
        sheet.rect(0, 0, width, height, stroke=0, fill=1)
    if random.random() < 0.5:
        sheet.setFillColorRGB(*band)
        sheet.rect(0, height - margin * 0.8, width, margin * 0.8, stroke=0, fill=1)
    if random.random() < 0.4:
        sheet.rect(margin / 2, margin / 2, width - margin, height - margin)
    sheet.setFillColorRGB(*ink)
    y = height - 1.5 * margin
    for line in (paper.title, *paper.lines):
        face, points = (bold, size * (2.2 if large else 1.5)) if line is paper.title else (plain, size)
        sheet.setFont(face, points)
        left, right = line if isinstance(line, tuple) else (line, "")
        for row in simpleSplit(left, face, points, width - 2 * margin):
            if large and not right:
                sheet.drawCentredString(width / 2, y, row)
            else:
                sheet.drawString(margin, y, row)
            y -= 1.35 * points
        sheet.drawRightString(width - margin, y + 1.35 * points, right)
        y -= 0.5 * points
    sheet.save()
    os.replace(part, pdf)


_TYPEFACES = (("Helvetica", "Helvetica-Bold"), ("Times-Roman", "Times-Bold"), ("Courier", "Courier-Bold"))
_MONTHS = "January February March April May June July August September October November December".split()
_NAMES = (
    "Adler Baxter Castillo Dahl Egan Fischer Grant Haddad Ibsen Jensen Kowalski Lopez Mbeki Novak Okafor Patel Quinn "
    "Rossi Sato Turner Ueda Vance Weber Yilmaz Zhang"
).split()
_PLACES = ("the town hall", "the old brewery", "the park", "the school gym", "the harbour", "the village church")
_TRADES = {
    "a garage": ("a new clutch", "four winter tyres", "an oil change"),
    "a plumber": ("a leaking tap", "a new boiler", "a blocked drain"),
    "an electrician": ("new wiring in the kitchen", "a garden lamp", "a broken fuse box"),
    "a florist": ("wedding flowers", "a funeral wreath", "thirty red roses"),
    "a vet": ("vaccinating a kitten", "a dog's broken leg", "the dental care of a horse"),
    "a carpenter": ("an oak bookcase", "a staircase", "repairing a window"),
    "a printer": ("five hundred business cards", "concert posters", "a school yearbook"),
    "a dentist": ("a crown", "a filling", "teeth whitening"),
    "a caterer": ("a birthday buffet", "a wedding dinner", "sandwiches for a meeting"),
    "a gardener": ("cutting a hedge", "planting apple trees", "mowing the lawn"),
    "a tailor": ("a wool suit", "shortening trousers", "a wedding dress"),
    "a piano tuner": ("tuning a grand piano", "repairing the pedals", "moving a piano"),
}
_DISHES = {
    "lentil soup": "red lentils, carrots, onions, cumin, lemon juice",
    "apple pie": "apples, butter, flour, sugar, cinnamon",
    "mushroom risotto": "mushrooms, rice, white wine, butter, parmesan",
    "chicken curry": "chicken, coconut milk, curry paste, rice, coriander",
    "potato salad": "potatoes, gherkins, mustard, eggs, chives",
    "banana bread": "bananas, flour, walnuts, eggs, brown sugar",
    "fish stew": "cod, tomatoes, fennel, mussels, parsley",
    "pancakes": "flour, milk, eggs, butter, maple syrup",
    "vegetable lasagne": "aubergines, tomatoes, pasta, ricotta, basil",
    "beef goulash": "beef, onions, paprika, tomatoes, sour cream",
    "chocolate cake": "dark chocolate, butter, eggs, sugar, cream",
    "pumpkin soup": "pumpkin, ginger, onions, stock, pumpkin seeds",
    "spinach omelette": "eggs, spinach, feta, butter, nutmeg",
    "strawberry jam": "strawberries, sugar, lemons, vanilla, mint",
    "bean chili": "kidney beans, tomatoes, peppers, chili, lime juice",
    "rye bread": "rye flour, sourdough, caraway, salt, sunflower seeds",
    "prawn noodles": "prawns, noodles, garlic, soy sauce, spring onions",
    "rice pudding": "rice, milk, sugar, vanilla, cinnamon",
    "roast lamb": "lamb, rosemary, garlic, potatoes, mint sauce",
    "lemonade": "lemons, sugar, water, ice, mint",
}
_LETTERS = {
    "a rent increase": ("a landlord", "The rent of your flat will rise from the first of next month."),
    "a broken lift": ("a tenant", "The lift in our building has been out of order for three weeks."),
    "a job application": ("an applicant", "I would like to apply for the position of nurse at your clinic."),
    "a cancelled gym membership": ("a customer", "I hereby cancel my membership of your gym at the end of the year."),
    "a school trip": ("a teacher", "Our class will spend four days at the seaside in spring."),
    "a library fine": ("a library", "The three novels that you borrowed are long overdue."),
    "a lost suitcase": ("an airline", "We are sorry that your suitcase did not arrive with your flight."),
    "a wedding invitation": ("a happy couple", "We are getting married and would love to have you with us."),
    "a parking ticket": ("a driver", "I object to the parking ticket, because the sign was hidden by a tree."),
    "noise at night": ("a neighbour", "The loud music at night keeps our children awake."),
    "a water meter reading": ("a water company", "Please read your water meter and send us the number."),
    "a scholarship": ("a university", "We are glad to offer you a scholarship for your studies of chemistry."),
    "a blood test": ("a doctor", "The results of your blood test are normal."),
    "a house insurance claim": ("an insurer", "We have received your claim for the storm damage to your roof."),
    "a bank loan": ("a bank", "Your application for a loan to buy a house has been approved."),
    "homesickness": ("a soldier", "I think of you every evening and count the days until I am home."),
    "a power cut": ("an electricity company", "There will be no electricity in your street on Tuesday morning."),
    "a donation": ("an animal shelter", "Thank you for your generous gift, which feeds forty stray cats."),
    "a will": ("a notary", "Your late aunt has left you her cottage by the lake."),
    "a vaccination appointment": ("a health office", "Your child is due for the second measles vaccination."),
}
_EVENTS = {
    "a jazz concert": "saxophone, piano and double bass",
    "a flea market": "old books, toys, lamps and records",
    "a chess tournament": "five rounds for beginners and masters",
    "a lost cat": "grey tabby with a white paw, answers to Minka",
    "a yoga course": "breathe, stretch and relax",
    "a football match": "the cup final of the season",
    "a puppet show": "the dragon and the brave goose, for children",
    "a wine tasting": "twelve wines from small vineyards",
    "a charity run": "ten kilometres for the hospital",
    "a photo exhibition": "portraits of fishermen in black and white",
    "a choir evening": "sacred songs by candlelight",
    "a science fair": "robots, volcanoes and a planetarium",
    "a harvest festival": "cider, pumpkins and a brass band",
    "a film night": "silent comedies with live piano",
    "a plant sale": "tomato seedlings, herbs and roses",
    "a dance class": "tango for couples and singles",
    "a book reading": "a crime novel from Iceland",
    "a sailing regatta": "dinghies and old timber yachts",
}
_KITCHENS = {
    "a pizzeria": "Margherita pizza, pizza with ham and mushrooms, spaghetti carbonara, tiramisu, espresso",
    "a sushi bar": "salmon sushi, tuna roll, miso soup, seaweed salad, green tea",
    "a burger grill": "cheeseburger, bean burger, french fries, onion rings, milkshake",
    "a breakfast cafe": "porridge with berries, scrambled eggs, croissant, orange juice, cappuccino",
    "a curry house": "chicken tikka, lamb korma, lentil dal, garlic naan, mango lassi",
    "a fish restaurant": "oysters, fried plaice, lobster, shrimp salad, white wine",
    "a taco stand": "beef tacos, bean burrito, guacamole, nachos, hibiscus water",
    "an ice cream parlour": "vanilla ice cream, strawberry sundae, banana split, waffle with cream, iced coffee",
    "a vegan kitchen": "tofu bowl, lentil burger, roasted cauliflower, hummus, oat latte",
    "a steak house": "rump steak, spare ribs, baked potato, coleslaw, red wine",
}
_DEEDS = (
    "swimming two hundred metres",
    "a first aid course",
    "a beekeeping course",
    "giving blood fifty times",
    "winning the spelling contest",
    "forty years as a miner",
    "completing a marathon",
    "learning to fly a glider",
    "the best cow of the fair",
    "a course in welding",
    "ten years in the fire brigade",
    "passing the piano examination",
    "a diploma in nursing",
    "riding a horse in the parade",
    "climbing a mountain of four thousand metres",
)
_LINES = {
    "the harbour ferry": "Old Harbour, Seal Island, Lighthouse, North Beach",
    "the mountain railway": "Valley Station, Larch Wood, Glacier, Summit",
    "the night bus": "Central Station, Opera, University, Airport",
    "the tram to the zoo": "Market Square, Museum, Stadium, Zoo",
    "the school bus": "Church Lane, Windmill, Sports Ground, Primary School",
    "the village train": "Junction, Brick Works, Castle, Spa",
    "the airport coach": "Town Hall, Exhibition Centre, Motel, Terminal Two",
    "the river boat": "Weir, Botanical Garden, Cathedral, Boat House",
    "the cable car": "Base Camp, Waterfall, Hut, Ski Slope",
    "the ring line": "Harbour, Hospital, Library, Power Plant",
}
