"""Search strategies, objectives and the run folder; how accuracy is found is given from outside."""

from tinynas.search.aging import RegularisedEvolution
from tinynas.search.at_most import AtMost
from tinynas.search.bayesian import BayesianSearch
from tinynas.search.candidate import Candidate, Genes, Origin, latest, restore_choice
from tinynas.search.compound import CompoundGrid
from tinynas.search.controller import Controller
from tinynas.search.domination import by_domination
from tinynas.search.evaluation import Observer, Outcome, Progress, Review, search, search_by_rungs
from tinynas.search.evolution import Evolution
from tinynas.search.front import pareto_front
from tinynas.search.journal import CandidateJournal, read_candidates
from tinynas.search.ladder import Ladder, OneRung, Order
from tinynas.search.limits import Footprint, Limits, Need
from tinynas.search.nsga import ParetoEvolution
from tinynas.search.objective import (
    OBJECTIVES,
    MnasNetReward,
    Objective,
    find_objective,
    ranked,
)
from tinynas.search.pool import Pool, Proposal
from tinynas.search.random_search import RandomSearch
from tinynas.search.run_folder import (
    CANDIDATES,
    REQUEST,
    RESULT,
    SPACE,
    RunFolder,
    default_run_path,
    is_run,
    open_run,
)
from tinynas.search.space_protocol import Evaluator, Space
from tinynas.search.strategy import Strategy
from tinynas.search.summary import RunSummary, read_request, read_run
from tinynas.search.timings import Correction, Timing

__all__ = [
    "CANDIDATES",
    "OBJECTIVES",
    "REQUEST",
    "RESULT",
    "SPACE",
    "AtMost",
    "BayesianSearch",
    "Candidate",
    "CandidateJournal",
    "CompoundGrid",
    "Controller",
    "Correction",
    "Evaluator",
    "Evolution",
    "Footprint",
    "Genes",
    "Ladder",
    "Limits",
    "MnasNetReward",
    "Need",
    "Objective",
    "Observer",
    "OneRung",
    "Order",
    "Origin",
    "Outcome",
    "ParetoEvolution",
    "Pool",
    "Progress",
    "Proposal",
    "RandomSearch",
    "RegularisedEvolution",
    "Review",
    "RunFolder",
    "RunSummary",
    "Space",
    "Strategy",
    "Timing",
    "by_domination",
    "default_run_path",
    "find_objective",
    "is_run",
    "latest",
    "open_run",
    "pareto_front",
    "ranked",
    "read_candidates",
    "read_request",
    "read_run",
    "restore_choice",
    "search",
    "search_by_rungs",
]
