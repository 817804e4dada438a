//! The flags that say what a choice must hold.

use clap::Args;

use crate::format::decision::{Constraints, Objective};
use crate::plan::{Draft, PlanError, fields};

/// What is minimised, and what must hold.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Choice")]
pub struct ChoiceArgs {
    /// The RSS figure to keep low: peak, mean, end or drained [default: peak]
    ///
    /// peak: the largest of all phases. mean: time-weighted over the steady phase. end: at the
    /// end of the steady phase. drained: after everything was freed, and the idle wait.
    #[arg(long, value_name = "FIGURE")]
    pub objective: Option<String>,
    /// The largest loss of throughput against the baseline: 0% to below 100%, or none [default: 5%]
    #[arg(long, value_name = "SHARE")]
    pub max_throughput_loss: Option<String>,
    /// The largest rise of malloc's 99th percentile against the baseline: 0% to below 1000%, or none [default: none]
    #[arg(long, value_name = "SHARE")]
    pub max_p99_loss: Option<String>,
    /// The largest value of the objective, in bytes with a unit such as 2GiB, or none [default: none]
    #[arg(long, value_name = "BYTES")]
    pub max_rss: Option<String>,
    /// The confidence that the choice is stated with: 50% to below 100% [default: 95%]
    #[arg(long, value_name = "SHARE")]
    pub confidence: Option<String>,
    /// Say better, worse and chosen though other work disturbed more than a quarter of the trials
    ///
    /// Load changes what is true, not only how precisely it is known: without this flag such a campaign is undecided.
    /// With it the words are given, and the warning still comes first.
    #[arg(long)]
    pub accept_busy_host: bool,
}

impl ChoiceArgs {
    /// What the flags say, as part of a plan.
    ///
    /// # Errors
    /// One line that names the flag.
    pub fn draft(&self) -> Result<Draft, PlanError> {
        Ok(Draft {
            objective: read(self.objective.as_ref(), "objective", fields::objective)?,
            max_throughput_loss: read(
                self.max_throughput_loss.as_ref(),
                "max-throughput-loss",
                fields::max_throughput_loss,
            )?,
            max_p99_loss: read(self.max_p99_loss.as_ref(), "max-p99-loss", fields::max_p99_loss)?,
            max_rss: read(self.max_rss.as_ref(), "max-rss", fields::max_rss)?,
            confidence: read(self.confidence.as_ref(), "confidence", fields::confidence)?,
            accept_busy_host: self.accept_busy_host.then_some(true),
            ..Draft::default()
        })
    }

    /// What the flags say, laid over what a campaign was planned with: objective, constraints, confidence.
    ///
    /// # Errors
    /// One line that names the flag.
    pub fn over(
        &self,
        planned: (Objective, Constraints, f64),
    ) -> Result<(Objective, Constraints, f64), PlanError> {
        let said = self.draft()?;
        let (objective, constraints, confidence) = planned;
        let constraints = Constraints {
            max_throughput_loss: said.max_throughput_loss.unwrap_or(constraints.max_throughput_loss),
            max_p99_loss: said.max_p99_loss.unwrap_or(constraints.max_p99_loss),
            max_rss: said.max_rss.unwrap_or(constraints.max_rss),
        };
        Ok((said.objective.unwrap_or(objective), constraints, said.confidence.unwrap_or(confidence)))
    }
}

/// Reads a flag's value, where the flag is given.
pub(super) fn read<T>(
    text: Option<&String>,
    flag: &str,
    field: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, PlanError> {
    text.map(|text| field(text).map_err(|why| PlanError::new(format!("--{flag}: {why}")))).transpose()
}
