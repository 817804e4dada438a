//! Which steps of a search are journaled: those at which it asks for something else than before, drops
//! candidates, or stops.

use crate::decide::strategy;
use crate::format::step::Step;

/// What was asked for last.
#[derive(Default)]
pub struct Steps {
    asked: Option<(String, Vec<usize>)>,
}

impl Steps {
    /// The line for a step before a round, where it is worth one. `arms` are the names of the arms, the
    /// baseline's twin last.
    pub fn line(&mut self, round: u32, step: &strategy::Step, arms: &[String]) -> Option<Step> {
        let line = |phase, candidates, eliminated, stopped| Step {
            round,
            phase,
            candidates,
            eliminated,
            stopped,
            out_of_time: false,
        };
        match step {
            strategy::Step::Stop { why, eliminated } => {
                Some(line(None, Vec::new(), eliminated.clone(), Some(why.clone())))
            }
            strategy::Step::Round(request) => {
                let asked = (request.phase.clone(), request.arms.clone());
                if self.asked.as_ref() == Some(&asked) && request.eliminated.is_empty() {
                    return None;
                }
                self.asked = Some(asked);
                let twin = arms.len().saturating_sub(1);
                let names = request.arms.iter().filter(|arm| **arm < twin).map(|arm| arms[*arm].clone());
                Some(line(Some(request.phase.clone()), names.collect(), request.eliminated.clone(), None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::strategy::RoundRequest;
    use crate::format::decision::Eliminated;

    #[test]
    fn what_changes_is_told_once() {
        let arms: Vec<String> = ["glibc", "jemalloc", "mimalloc", "glibc"].map(str::to_owned).to_vec();
        let round = |arms: &[usize], eliminated: Vec<Eliminated>| {
            strategy::Step::Round(RoundRequest { arms: arms.to_vec(), phase: "sieve".to_owned(), eliminated })
        };
        let out = Eliminated {
            candidate: "jemalloc".to_owned(),
            why: "slow".to_owned(),
            bound: Some(0.5),
            by: None,
        };
        let mut steps = Steps::default();
        let first = steps.line(0, &round(&[0, 1, 2, 3], Vec::new()), &arms).unwrap();
        assert_eq!(first.candidates, ["glibc", "jemalloc", "mimalloc"]);
        assert!(steps.line(1, &round(&[0, 1, 2, 3], Vec::new()), &arms).is_none());
        let second = steps.line(2, &round(&[0, 2, 3], vec![out.clone()]), &arms).unwrap();
        assert_eq!((second.round, second.eliminated), (2, vec![out]));
        let stop = strategy::Step::Stop { why: "settled".to_owned(), eliminated: Vec::new() };
        assert_eq!(steps.line(3, &stop, &arms).unwrap().stopped.as_deref(), Some("settled"));
    }
}
