"""What the columns of the tables mean."""

from __future__ import annotations

from collections.abc import Mapping

FILES: Mapping[str, Mapping[str, str]] = {
    "trials/<hash>/spec.json": {"always": "all settings of the trial"},
    "trials/<hash>/metrics.parquet": {"always": "its final numbers, in a row: that of `summary.csv`"},
    "trials/<hash>/curves_consensus.parquet": {
        "always": 'how agreements went along their activations; in Python `results.curve("consensus")`'
    },
    "trials/<hash>/curves_training.parquet": {
        "training": 'a row per update; in Python `results.curve("training")`'
    },
    "trials/<hash>/curves_traffic.parquet": {
        "always": 'what each direction of a link carried; in Python `results.table("traffic")`'
    },
    "trials/<hash>/curves_faults.parquet": {
        "faults": 'what each fault did; in Python `results.table("faults")`'
    },
    "trials/<hash>/models.pt": {"training": "what was learnt"},
    "trials/<hash>/timings.json": {"always": "wall time: the only file that differs between two runs"},
    "trials/<hash>/versions.json": {"always": "of Python, of the libraries and of the code that made it"},
    "trials/<hash>/status.json": {"always": "whether it finished or failed"},
    "study.json": {"always": "the study that was run here last, and its trials by hash"},
    "summary.csv": {"always": "a row per finished trial: its hash, what is varied, the seed, final numbers"},
    "summary.parquet": {"always": "the same, with the exact numbers"},
    "statistics.csv": {"training": "each condition over its seeds, and how conditions compare"},
}
"""Tables and other files of a study's results -> when they are there (always, of training, with faults) and
what is in them."""

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "Which trial": {
        "trial": "its hash: the name of its folder under `trials/`",
        "seed": "of every random stream",
    },
    "When": {
        "update": "policy updates so far, counted from 1",
        "steps": "environment steps of one episode after the other, so far: joint samples",
        "seconds": "simulated time; in a curve of consensus since its agreement began, else since the run"
        " began",
        "bytes": "sent, whatever became of them; since the same moment, with those that were only charged",
        "resumptions": "times that a resumed run had to start new episodes, for want of the state of the"
        " old ones",
    },
    "What agents earned": {
        "return": "undiscounted reward per episode, summed over agents: a mean over the episodes that"
        " ended in the update; as a final number, the mean of the last tenth of the updates",
        "return_first": "that of the first update",
        "return_*": "what the return is made of: the components that the environment names, summed over an"
        " episode; `return_battle_won` is the share of battles won",
        "evaluation_*": "the same numbers of episodes apart from learning, by the most probable actions;"
        " not a number in updates without an evaluation",
        "episodes": "episodes that ended in the update",
    },
    "How an agreement went": {
        "activations": "activated links, or agents where messages go one way",
        "exchanges": "exchanges that both ends committed and knew of; messages received, where they go one"
        " way",
        "given_up": "no answer came in time; nothing was committed at the end that began",
        "busy": "refused, because an end was in another exchange; or an agent was still at its last solve",
        "half_committed": "the end that answered committed, the end that began did not",
        "healed": "half-committed links put right by completed exchanges",
        "unfinished": "still under way when the agreement ended",
        "stale": "messages of an exchange that was over, or older than one already seen; they were ignored",
        "repeated": "requests that came again, and were answered as the first time",
        "down": "activations of an agent that had crashed",
        "garbled": "messages ignored because damage had left numbers in them that are not finite",
        "late": "messages still in flight when the agreement ended: never delivered",
        "stalled": "1 if the agreement ended early, because all who begin exchanges had crashed for good"
        " and nothing could spend its budget of bytes any more; of several agreements, how many did",
        "consensus_seconds": "simulated time of the agreement, or of all those of an update",
        "consensus_bytes": "bytes sent in that time, whatever became of them",
        "consensus_rounds": "agreements of the update, where there are several",
    },
    "How far from agreement": {
        "disagreement": "root mean square of s_i - s_j over links and coordinates, with s_i what agent i"
        " holds",
        "relative_disagreement": "the same, relative to the root mean square of s",
        "relative_disagreement_before": "the same, before anything was exchanged",
        "primal_residual": "root mean square of the constraint's violation, signals against link variables",
        "error": "of a problem: root mean square distance of the agents from the optimum, relative to its"
        " size; with `consensus.coupling`, of each agent from its own part of the coupled optimum",
        "message_age": "seconds since the sending of what an agent last made use of, mean over directions",
        "message_age_max": "of the direction for which it is oldest",
        "message_age_average": "mean over the time of the agreement, too",
        "utilisation": "share of time that a direction with a rate spends transmitting, mean over directions",
        "utilisation_max": "of the busiest direction",
        "joint_connectivity": "of a topology that changes: share of windows of rounds whose links together"
        " connect all agents",
    },
    "What a policy update did": {
        "kl": "true divergence of the policy step on the batch, mean over policies",
        "kl_max": "the largest of them",
        "kl_played": "of the joint policy that acts: of everybody's own actions, added up",
        "step_factor": "with `radius: played`, what all agents' steps were multiplied by",
        "kl_halvings": "times that steps were halved because their divergence was too large",
        "steps_refused": "policies that stayed as they were, because their step's divergence was too large"
        " even after 30 halvings",
        "binding": "share of agents at the edge of their trust region at the last solve",
        "surrogate_gain": "estimated gain of the update on its own batch, summed over agents",
        "holdout_gain": "the same, on a batch that it did not learn from",
        "value_loss": "mean squared error of the critics: in the last pass over the batch, in normalised"
        " units, mean over the same agents as `explained_variance`; of fdmarl mean over steps",
        "explained_variance": "share of the targets' variance that the values explained before they were"
        " fitted, mean over the agents whose returns can differ (in combat that only agent 0 is paid for, of"
        " agent 0); nan if there are none",
        "entropy": "of the new policies, in nats, mean over agents and the samples at which each can act",
        "acting_share": "share of all agents' steps at which they could act: in the game, with more than one"
        " available action; of these `kl`, `entropy` and what else policies are measured by are means",
        "policy_loss": "mappo: what was minimised, without the entropy",
        "clip_fraction": "mappo: share of ratios beyond the clip",
        "policy_gradient_norm": "mappo: length of the policies' gradient before it is cut, mean over steps",
        "value_gradient_norm": "mappo: and of the values'",
        "td_error": "fdmarl: mean size of the temporal-difference errors",
        "average_reward": "fdmarl: running mean of the rewards, mean over agents",
    },
    "What the solves of natural gradients cost": {
        "solves": "local solves of all agents",
        "fisher_products": "products with a Fisher matrix that they took",
        "solves_capped": "solves ended by the cap before the tolerance",
        "solve_residual": "mean relative residual",
        "solve_residual_max": "the largest",
        "solve_error": "true relative error, with `solver.audit: true`",
        "search_halvings": "with `step: line_search`: times that line searches halved a step",
        "searches_failed": "with `step: line_search`: line searches that found no step and stayed at the old"
        " policy",
    },
    "What the network carried": {
        "messages_sent": "packets sent, acknowledgements and retransmissions included",
        "messages_duplicated": "copies that the network made",
        "messages_delivered": "packets that arrived",
        "messages_dropped": "packets that did not",
        "messages_in_flight": "packets on their way at the end",
        "messages_late": "packets taken off the network, because what they were sent for had ended",
        "messages_corrupted": "of those delivered, the damaged ones that nobody noticed",
        "messages_retransmitted": "of those sent, repetitions by the reliable transport",
        "messages_filtered": "of those delivered, repetitions that the reliable transport kept back",
        "messages_undeliverable": "messages that the reliable transport gave up for want of an"
        " acknowledgement",
        "bytes_sent": "bytes of the packets sent, with those that were only charged",
        "bytes_duplicated": "bytes of the copies",
        "bytes_delivered": "bytes that arrived",
        "bytes_dropped": "bytes that did not",
        "bytes_in_flight": "bytes on their way at the end",
        "bytes_late": "bytes taken off the network",
        "charged_bytes": "what a centre would have been sent and would have answered, where one learns for"
        " all",
        "dropped_*": "packets dropped, by the reason: `link_down`, `queue_full`, `loss`, `corrupt`,"
        " `agent_down`",
        "faults": "faults that the study asks for",
        "faults_untouched": "those that touched no packet, and so tested nothing",
    },
    "What each fault did (`curves_faults.parquet`)": {
        "fault": "its name",
        "refused": "packets that were sent, or reached a crashed agent, while it lasted, and were dropped",
        "removed": "packets that were in flight when it began, and dropped",
        "held": "packets that were kept from arriving while it lasted",
        "slowed": "packets that an agent sent while it computed more slowly",
        "touched": "the sum of these",
    },
    "What each direction carried (`curves_traffic.parquet`)": {
        "source": "the agent that sends",
        "destination": "the agent that receives",
        "bytes": "taken by the transmitter, whatever became of them later",
        "transmitting": "simulated seconds it was at work; 0 where the rate is unlimited",
        "utilisation": "the share of all simulated time that this is",
    },
    "Conditions over their seeds (`statistics.csv`, of training)": {
        "metric": "the final number that the row is about",
        "seeds": "finished runs in which this number is finite",
        "mean": "over the seeds",
        "estimator": "what `iqm` is: the interquartile mean or, of fewer than four seeds, the mean",
        "iqm": "interquartile mean over the seeds (of fewer than four their mean), with its 95 % bootstrap"
        " interval in `iqm_low`, `iqm_high`, which are empty where it would be no wider than a point",
        "reference": "the first value of what is compared, beside which the condition stands",
        "probability_of_improvement": "that a run of the condition ends higher than one of the reference;"
        " `_low`, `_high` as above",
        "pairs": "seeds that both have",
        "note": "why an interval is empty (`all 5 seeds equal`, `all differences equal`, `one seed`, ...),"
        " whether the seeds are too few to conclude from, and how many finished runs are left out because"
        " the number is not finite in them (`1 of 5 seeds not finite`); several are joined by semicolons",
        "paired_difference": "condition minus reference, mean over these seeds; `_low`, `_high` as above",
    },
}
"""Headings -> columns -> what they mean; a star stands for any ending."""
