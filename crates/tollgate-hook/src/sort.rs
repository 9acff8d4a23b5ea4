//! The sort: depth-first, stable, with predecessors dragged to the front.
//!
//! Responsible for: turning a ranked sequence and edges into a running order, or into the cycle that forbids
//! one. Not responsible for: what the numbers stand for (`resolve`).
//! Entry point: [`sort`].
//! Invariants: every edge is respected; without edges nothing moves; it ends on every input, and needs no
//! recursion, so that no chain of edges is too long for it.

/// "Rank `first` runs before rank `then`."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) first: usize,
    pub(crate) then: usize,
}

/// A running order and how it came about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sorted {
    /// Ranks in running order.
    pub(crate) order: Vec<usize>,
    /// Per rank: the index of the link that dragged it in front of entries of lower rank.
    pub(crate) dragged_by: Vec<Option<usize>>,
}

/// Indices of links that form a cycle; each link's `then` is the next one's `first`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cycle(pub(crate) Vec<usize>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    /// On the stack: waiting for its predecessors.
    Open,
    Placed,
}

/// Orders the ranks `0..count`: walks them in order, and places an entry's unplaced predecessors before it,
/// in the order of `links`, each with its own predecessors first.
///
/// This is Apache httpd's order for the same edges. A queue of free entries would give another one: it
/// delays the early entry instead of pulling the late one forward.
pub(crate) fn sort(count: usize, links: &[Link]) -> Result<Sorted, Cycle> {
    let mut predecessors = vec![Vec::new(); count];
    for (index, link) in links.iter().enumerate() {
        predecessors[link.then].push(index);
    }
    let mut state = vec![State::Unseen; count];
    let mut sorted = Sorted { order: Vec::with_capacity(count), dragged_by: vec![None; count] };
    // Entries waiting for predecessors, with how many of their links are dealt with.
    let mut stack: Vec<(usize, usize)> = Vec::new();

    for start in 0..count {
        if state[start] == State::Unseen {
            state[start] = State::Open;
            stack.push((start, 0));
        }
        while let Some((rank, next)) = stack.last_mut() {
            let Some(&index) = predecessors[*rank].get(*next) else {
                state[*rank] = State::Placed;
                sorted.order.push(*rank);
                stack.pop();
                continue;
            };
            *next += 1;
            let first = links[index].first;
            match state[first] {
                State::Placed => {}
                State::Open => return Err(cycle(index, links, &sorted.dragged_by)),
                State::Unseen => {
                    state[first] = State::Open;
                    sorted.dragged_by[first] = Some(index);
                    stack.push((first, 0));
                }
            }
        }
    }
    Ok(sorted)
}

/// The links of the cycle that `closing` closes: from its `first` over its `then`, along the links by which
/// the waiting entries were reached, back to `first`.
fn cycle(closing: usize, links: &[Link], dragged_by: &[Option<usize>]) -> Cycle {
    let goal = links[closing].first;
    let mut path = vec![closing];
    let mut rank = links[closing].then;
    while rank != goal
        && let Some(index) = dragged_by[rank]
    {
        path.push(index);
        rank = links[index].then;
    }
    Cycle(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(count: usize, links: &[(usize, usize)]) -> Result<Vec<usize>, Cycle> {
        let links: Vec<Link> = links.iter().map(|&(first, then)| Link { first, then }).collect();
        sort(count, &links).map(|sorted| sorted.order)
    }

    #[test]
    fn nothing_moves_without_links() {
        assert_eq!(order(0, &[]), Ok(vec![]));
        assert_eq!(order(4, &[]), Ok(vec![0, 1, 2, 3]));
    }

    #[test]
    fn late_predecessor_is_dragged_forward_instead_of_delaying_the_early_entry() {
        assert_eq!(order(4, &[(3, 0)]), Ok(vec![3, 0, 1, 2]));
        assert_eq!(order(4, &[(3, 1), (2, 3)]), Ok(vec![0, 2, 3, 1]));
    }

    #[test]
    fn predecessors_of_one_entry_come_in_the_order_of_their_links() {
        assert_eq!(order(3, &[(2, 0), (1, 0)]), Ok(vec![2, 1, 0]));
        assert_eq!(order(3, &[(1, 0), (2, 0)]), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn repeated_links_count_once() {
        assert_eq!(order(2, &[(1, 0), (1, 0), (1, 0)]), Ok(vec![1, 0]));
    }

    #[test]
    fn cycle_is_told_by_its_links_from_the_closing_one_on() {
        assert_eq!(order(1, &[(0, 0)]), Err(Cycle(vec![0])));
        assert_eq!(order(2, &[(0, 1), (1, 0)]), Err(Cycle(vec![0, 1])));
        // 0 only leads into the cycle of 1, 2 and 3 and is not part of it.
        assert_eq!(order(4, &[(1, 0), (2, 1), (3, 2), (1, 3)]), Err(Cycle(vec![3, 2, 1])));
    }

    #[test]
    fn chain_of_any_length_is_sorted_without_recursion() {
        let count = 200_000;
        let links: Vec<(usize, usize)> = (1..count).map(|rank| (rank, rank - 1)).collect();
        assert_eq!(order(count, &links), Ok((0..count).rev().collect()));
    }
}
