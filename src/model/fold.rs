//! The fold: what each event does to the state. The only transition table of the program.
//!
//! Every arm either gives the next state or says in one sentence why the event cannot follow. The writer asks before it
//! appends, the verifier asks again for every record, so that a signed record cannot claim what its events do not say.

use jiff::Timestamp;

use super::{BranchAdvance, Built, Done, Event, Evidence, OpenRun, Outcome, Passed, Plan, Proved, RunId, State, Step, StepKey};

impl State {
    /// The state after an event that was recorded at this time, asked for by this initiator.
    pub fn after(mut self, event: &Event, at: Timestamp, by: &str) -> Result<State, String> {
        match event {
            Event::Genesis => self.begin()?,
            Event::Opened { run, plan, first } => self.open(run, plan, first.as_ref(), at, by)?,
            Event::Intended { run, step } => self.run(run)?.intend(step)?,
            Event::Did { run, outcome } => self.run(run)?.did(outcome, at)?,
            Event::Built { run, builds } => self.run(run)?.built(builds)?,
            Event::Passed { run, position, gate, evidence } => self.run(run)?.pass(*position, gate, evidence, at)?,
            Event::Completed { run, proved } => self.complete(run, proved)?,
            Event::Failed { run, .. } | Event::Superseded { run, .. } => self.close(run)?,
        }
        Ok(self)
    }

    /// The open run of this id.
    fn run(&mut self, id: &RunId) -> Result<&mut OpenRun, String> {
        self.open.values_mut().find(|it| it.id == *id).ok_or_else(|| format!("The run {id} is not open."))
    }

    fn begin(&self) -> Result<(), String> {
        if *self == State::default() { Ok(()) } else { Err("The ledger has begun already: genesis comes first or not at all.".to_owned()) }
    }

    fn open(&mut self, id: &RunId, plan: &Plan, first: Option<&Step>, at: Timestamp, by: &str) -> Result<(), String> {
        if let Some(other) = self.open.get(&plan.environment) {
            return Err(format!("The run {id} cannot be opened: the run {} of {} is still open.", other.id, plan.environment));
        }
        if let Some(other) = self.open.values().find(|it| it.id == *id) {
            return Err(format!("The run {id} is open already, for {}.", other.environment()));
        }
        let (done, passed) = (Vec::new(), Vec::new());
        let mut run = OpenRun { id: id.clone(), plan: plan.clone(), opened: at, by: by.to_owned(), intended: None, done, passed };
        if let Some(step) = first {
            run.intend(step)?;
        }
        self.open.insert(plan.environment.clone(), run);
        Ok(())
    }

    fn complete(&mut self, id: &RunId, proved: &Proved) -> Result<(), String> {
        let run = self.run(id)?;
        run.ready_to_complete(proved)?;
        let environment = run.environment().clone();
        self.open.remove(&environment);
        self.proved.insert(environment, proved.clone());
        Ok(())
    }

    fn close(&mut self, id: &RunId) -> Result<(), String> {
        let environment = self.run(id)?.environment().clone();
        self.open.remove(&environment);
        Ok(())
    }
}

impl OpenRun {
    fn intend(&mut self, step: &Step) -> Result<(), String> {
        let (id, key) = (&self.id, step.key());
        if let Some(other) = &self.intended {
            return Err(format!("{id}: {key} cannot be announced: nothing is known yet of {}.", other.key()));
        }
        if self.outcome(key).is_some() {
            return Err(format!("{id}: {key} cannot be announced: it is done, and a run has each step at most once."));
        }
        self.not_refused(&format!("{key} cannot be announced"))?;
        self.belongs(step)?;
        if key == StepKey::WriteOverlay && !self.passed.is_empty() {
            return Err(format!("{id}: {key} cannot be announced: gates that passed would have looked at something else."));
        }
        self.intended = Some(step.clone());
        Ok(())
    }

    /// A step says for itself which run, environment and tag it is for; the plan says so too.
    fn belongs(&self, step: &Step) -> Result<(), String> {
        let id = &self.id;
        let (run, tag) = match step {
            Step::WriteOverlay(it) if it.environment != self.plan.environment => {
                return Err(format!("{id}: the step writes {}, the run moves {}.", it.environment, self.plan.environment));
            }
            Step::WriteOverlay(it) => (&it.run, None),
            Step::CutTag(it) => (&it.run, Some(&it.name)),
            Step::AdvanceBranch(it) if !self.plans(it) => {
                return Err(format!("{id}: the step moves the branch to {}, which is not the planned release commit.", it.commit.short()));
            }
            Step::AdvanceBranch(it) => (&it.run, Some(&it.tag)),
            Step::PublishPage(it) => (&it.run, Some(&it.tag)),
        };
        if run != id {
            return Err(format!("{id}: the step belongs to the run {run}."));
        }
        match (tag, &self.plan.tag) {
            (Some(tag), Some(planned)) if *tag != planned.name => {
                Err(format!("{id}: the step is about the tag {tag}, the plan about {}.", planned.name))
            }
            (Some(tag), None) => Err(format!("{id}: the step is about the tag {tag}, the plan has none.")),
            _ => Ok(()),
        }
    }

    /// Whether the branch is to move from the commit that was proved to the release commit on top of it.
    fn plans(&self, it: &BranchAdvance) -> bool {
        let tag = self.plan.tag.as_ref().filter(|tag| tag.commit == it.commit);
        tag.and_then(|tag| tag.release.as_ref()).is_some_and(|release| release.onto == it.onto)
    }

    fn did(&mut self, outcome: &Outcome, at: Timestamp) -> Result<(), String> {
        let step = self.intended.take().ok_or_else(|| format!("{}: an outcome of nothing: no step was announced.", self.id))?;
        self.done.push(Done { step, outcome: outcome.clone(), at });
        Ok(())
    }

    /// Builds make the plan exact: from here on it names the digests.
    fn built(&mut self, builds: &[Built]) -> Result<(), String> {
        let id = &self.id;
        self.settled("builds cannot be recorded")?;
        if self.outcome(StepKey::WriteOverlay).is_some() {
            return Err(format!("{id}: builds cannot be recorded: the overlay was written already."));
        }
        if builds.is_empty() {
            return Err(format!("{id}: builds were recorded, but none is named."));
        }
        for build in builds {
            let component = &build.component;
            let Some(planned) = self.plan.moves.iter_mut().find(|it| it.component == *component) else {
                return Err(format!("{id}: {component} was built, but the plan does not move it."));
            };
            if let Some(other) = planned.digest.as_ref().filter(|it| **it != build.digest) {
                return Err(format!("{id}: {component} was built as {}, the plan says {}.", build.digest.short(), other.short()));
            }
            planned.digest = Some(build.digest.clone());
        }
        Ok(())
    }

    fn pass(&mut self, position: usize, gate: &str, evidence: &Evidence, at: Timestamp) -> Result<(), String> {
        let id = &self.id;
        self.settled(&format!("the gate “{gate}” cannot pass"))?;
        match self.plan.gates.get(position) {
            _ if position != self.passed.len() => {
                return Err(format!("{id}: the gate “{gate}” is number {position}; number {} is next.", self.passed.len()));
            }
            None => return Err(format!("{id}: the gate “{gate}” is not in the plan, which has {} gates.", self.plan.gates.len())),
            Some(planned) if planned != gate => {
                return Err(format!("{id}: gate number {position} is “{planned}”, not “{gate}”."));
            }
            Some(_) => {}
        }
        self.passed.push(Passed { gate: gate.to_owned(), evidence: evidence.clone(), at });
        Ok(())
    }

    fn ready_to_complete(&self, proved: &Proved) -> Result<(), String> {
        let id = &self.id;
        self.settled("the run cannot complete")?;
        if self.passed.len() < self.plan.gates.len() {
            return Err(format!("{id}: the run cannot complete: {} of {} gates passed.", self.passed.len(), self.plan.gates.len()));
        }
        if proved.run != *id {
            return Err(format!("{id}: the proof names the run {}.", proved.run));
        }
        Ok(())
    }

    /// Nothing is announced of which nothing is known, and nothing that matters was refused.
    fn settled(&self, otherwise: &str) -> Result<(), String> {
        match &self.intended {
            Some(step) => Err(format!("{}: {otherwise}: nothing is known yet of {}.", self.id, step.key())),
            None => self.not_refused(otherwise),
        }
    }

    /// After a refused tag or overlay a run can only fail.
    fn not_refused(&self, otherwise: &str) -> Result<(), String> {
        let refused = |it: &&Done| !it.step.key().may_be_refused() && matches!(it.outcome, Outcome::Refused { .. });
        match self.done.iter().find(refused) {
            Some(it) => Err(format!("{}: {otherwise}: {} was refused.", self.id, it.step.key())),
            None => Ok(()),
        }
    }
}
