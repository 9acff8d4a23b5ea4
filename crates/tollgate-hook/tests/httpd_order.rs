//! The running order against a naive twin of Apache httpd's sort, and the rules any order must keep.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use tollgate_hook::{
    Asker, CycleStep, HookPoint, HookTable, Mode, OperatorRules, Order, OrderError, OrderErrors, Registry,
};

struct Point;

impl HookPoint for Point {
    type Input<'a> = ();
    type Output<'a> = ();
    const NAME: &'static str = "POINT";
    const MODE: Mode = Mode::Void;
    const DOC: &'static str = "In a test.";
}

/// One registration: modules are numbered by their place in the list.
#[derive(Debug, Clone)]
struct Wish {
    slot: i32,
    before: Vec<usize>,
    after: Vec<usize>,
}

fn module(number: usize) -> String {
    format!("m{number}")
}

fn seal(wishes: &[Wish]) -> Result<HookTable, OrderErrors> {
    let mut registry = Registry::new();
    for (number, wish) in wishes.iter().enumerate() {
        let mut order = Order::slot(wish.slot);
        order = wish.before.iter().fold(order, |order, &other| order.before(module(other)));
        order = wish.after.iter().fold(order, |order, &other| order.after_required(module(other)));
        registry.register::<Point>(&module(number), "h", order, |()| ());
    }
    registry.seal(&OperatorRules::default())
}

/// Numbers of the modules in running order.
fn running(table: &HookTable) -> Vec<usize> {
    let number = |name: &str| name[1..].parse().expect("modules are named by number");
    table.handlers::<Point>().iter().map(|handler| number(handler.module())).collect()
}

/// httpd's sort, step by step: crude order by slot; then for every place scan from the start for an unplaced
/// entry, jump to the first predecessor it still has (again and again), place it, and strike it out as a
/// predecessor everywhere.
fn httpd_order(wishes: &[Wish]) -> Vec<usize> {
    let mut items: Vec<usize> = (0..wishes.len()).collect();
    items.sort_by_key(|&item| wishes[item].slot);
    let mut predecessors: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut add = |item: usize, predecessor: usize| {
        let list = predecessors.entry(item).or_default();
        if !list.contains(&predecessor) {
            list.push(predecessor);
        }
    };
    for &item in &items {
        for &other in &wishes[item].after {
            add(item, other);
        }
        for &other in &wishes[item].before {
            add(other, item);
        }
    }
    let mut placed = Vec::new();
    while placed.len() < items.len() {
        let mut next = *items.iter().find(|item| !placed.contains(*item)).expect("not all are placed");
        while let Some(&predecessor) = predecessors.get(&next).and_then(|list| list.first()) {
            next = predecessor;
        }
        placed.push(next);
        for list in predecessors.values_mut() {
            list.retain(|&predecessor| predecessor != next);
        }
    }
    placed
}

/// All edges as (first, then).
fn edges(wishes: &[Wish]) -> HashSet<(usize, usize)> {
    let of = |(number, wish): (usize, &Wish)| {
        let before: Vec<_> = wish.before.iter().map(|&other| (number, other)).collect();
        let after: Vec<_> = wish.after.iter().map(|&other| (other, number)).collect();
        before.into_iter().chain(after)
    };
    wishes.iter().enumerate().flat_map(of).collect()
}

fn is_acyclic(count: usize, edges: &HashSet<(usize, usize)>) -> bool {
    let mut left: HashSet<usize> = (0..count).collect();
    loop {
        let is_free =
            |&item: &usize| !edges.iter().any(|(first, then)| *then == item && left.contains(first));
        let Some(free) = left.iter().copied().find(|item| is_free(item)) else { return left.is_empty() };
        left.remove(&free);
    }
}

prop_compose! {
    /// Any wishes, with cycles among them when there are enough edges.
    fn any_wishes(max_edges: usize)(count in 1_usize..12)(
        slots in prop::collection::vec(prop::sample::select(vec![-10, 0, 3, 10, 10, 10, 20, 30]), count),
        edges in prop::collection::vec((0..count, 0..count, any::<bool>()), 0..max_edges),
    ) -> Vec<Wish> {
        let none = |slot: &i32| Wish { slot: *slot, before: Vec::new(), after: Vec::new() };
        let mut wishes: Vec<Wish> = slots.iter().map(none).collect();
        for (one, other, is_before) in edges {
            let wish = &mut wishes[one];
            if is_before { wish.before.push(other) } else { wish.after.push(other) }
        }
        wishes
    }
}

prop_compose! {
    /// Wishes whose edges all follow one hidden permutation.
    fn acyclic_wishes()(wishes in any_wishes(30))(
        rank in Just((0..wishes.len()).collect::<Vec<_>>()).prop_shuffle(),
        wishes in Just(wishes),
    ) -> Vec<Wish> {
        let mut kept = wishes;
        for (number, wish) in kept.iter_mut().enumerate() {
            wish.before.retain(|&other| rank[number] < rank[other]);
            wish.after.retain(|&other| rank[other] < rank[number]);
        }
        kept
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn order_equals_httpds_on_acyclic_wishes(wishes in acyclic_wishes()) {
        prop_assert_eq!(running(&seal(&wishes)?), httpd_order(&wishes));
    }

    #[test]
    fn order_is_a_permutation_that_respects_every_edge(wishes in acyclic_wishes()) {
        let running = running(&seal(&wishes)?);
        let place: HashMap<usize, usize> = running.iter().enumerate().map(|(at, &item)| (item, at)).collect();
        prop_assert_eq!(running.len(), wishes.len());
        prop_assert_eq!(place.len(), wishes.len());
        for (first, then) in edges(&wishes) {
            prop_assert!(place[&first] < place[&then], "m{} before m{} in {:?}", first, then, running);
        }
    }

    #[test]
    fn order_and_description_are_the_same_every_time(wishes in acyclic_wishes()) {
        let (one, other) = (seal(&wishes)?, seal(&wishes)?);
        prop_assert_eq!(running(&one), running(&other));
        prop_assert_eq!(one.describe(), other.describe());
    }

    #[test]
    fn without_edges_slot_and_registration_decide(wishes in any_wishes(1)) {
        let bare: Vec<Wish> =
            wishes.iter().map(|wish| Wish { slot: wish.slot, before: vec![], after: vec![] }).collect();
        let mut expected: Vec<usize> = (0..bare.len()).collect();
        expected.sort_by_key(|&number| (bare[number].slot, number));
        prop_assert_eq!(running(&seal(&bare)?), expected);
    }

    #[test]
    fn handlers_without_a_reason_keep_their_plain_order(wishes in acyclic_wishes()) {
        let table = seal(&wishes)?;
        let running = running(&table);
        let entries = &table.describe()[0].entries;
        prop_assert_eq!(entries.len(), running.len());
        let unmoved: Vec<(i32, usize)> = running
            .iter()
            .zip(entries)
            .filter(|(_, entry)| entry.why.is_empty())
            .map(|(&number, entry)| (entry.slot, number))
            .collect();
        prop_assert!(unmoved.is_sorted(), "{:?}", unmoved);
    }

    #[test]
    fn sealing_fails_exactly_on_cycles_and_shows_a_real_one(wishes in any_wishes(16)) {
        let edges = edges(&wishes);
        match seal(&wishes) {
            Ok(_) => prop_assert!(is_acyclic(wishes.len(), &edges)),
            Err(errors) => {
                prop_assert!(!is_acyclic(wishes.len(), &edges));
                let errors: Vec<OrderError> = errors.into_iter().collect();
                let [OrderError::Cycle { path, .. }] = &errors[..] else {
                    return Err(TestCaseError::fail(format!("{errors:?}")));
                };
                check_cycle(path, &wishes)?;
            }
        }
    }
}

/// Each step continues the one before, the last leads back to the start, nobody is passed twice, and each
/// step was wished for by the one who is said to have wished it.
fn check_cycle(path: &[CycleStep], wishes: &[Wish]) -> Result<(), TestCaseError> {
    let number =
        |id: &str| id[1..].trim_end_matches("#h").parse::<usize>().expect("modules are named by number");
    prop_assert!(!path.is_empty());
    for (step, next) in path.iter().zip(path.iter().cycle().skip(1)) {
        prop_assert_eq!(&step.then, &next.first);
        let (first, then) = (number(&step.first), number(&step.then));
        let Asker::Handler(asker) = &step.asked_by else {
            return Err(TestCaseError::fail("no operator took part"));
        };
        let asker = number(asker);
        let is_wished = (asker == first && wishes[asker].before.contains(&then))
            || (asker == then && wishes[asker].after.contains(&first));
        prop_assert!(is_wished, "{:?}", step);
    }
    let firsts: HashSet<&String> = path.iter().map(|step| &step.first).collect();
    prop_assert_eq!(firsts.len(), path.len());
    Ok(())
}
