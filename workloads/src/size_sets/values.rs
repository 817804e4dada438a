//! Profiles of caches and remote calls.

use super::{Figures, SizeSet};

/// Values of a memcached pool.
pub(super) const FACEBOOK_ETC: SizeSet = SizeSet {
    name: "facebook-etc",
    what: "values of the ETC pool, the most general of five memcached pools at Facebook: the shares of each size up to 14 \
        bytes, and the generalised Pareto fit above (scale 214.476, shape 0.348238), here from 15 bytes and up to the \
        largest item of memcached, 1 MiB.",
    source: "Atikoglu and others, Workload Analysis of a Large-Scale Key-Value Store, SIGMETRICS 2012, section 5 \
        (table of small value sizes and fitted parameters)",
    figures: Figures::WithTail {
        sizes: &[
            (0, 0.00536),
            (1, 0.00047),
            (2, 0.17820),
            (3, 0.09239),
            (4, 0.00018),
            (5, 0.02740),
            (6, 0.00065),
            (7, 0.00606),
            (8, 0.00023),
            (9, 0.00837),
            (10, 0.00837),
            (11, 0.08989),
            (12, 0.00092),
            (13, 0.00326),
            (14, 0.01980),
        ],
        tail: (15.0, 214.476, 0.348_238, 1_048_576.0),
    },
};

/// Messages of remote calls in a data centre.
pub(super) const GOOGLE_RPC: SizeSet = SizeSet {
    name: "google-rpc",
    what: "messages of all remote procedure calls in a Google data centre: cumulative shares at 42 sizes of the 113 \
        published, up to 12 MB. A buffer for each would have these sizes.",
    source: "Workload W3 of Montazeri and others, Homa, SIGCOMM 2018; figures from PlatformLab/HomaSimulation, \
        sizeDistributions/Google_AllRPC.txt, commit 7ab80dbbf823",
    figures: Figures::Cumulative(&[
        (1, 0.0),
        (2, 0.276_695),
        (3, 0.461_158),
        (4, 0.553_390),
        (7, 0.645_622),
        (32, 0.737_854),
        (37, 0.752_730),
        (43, 0.767_606),
        (51, 0.782_482),
        (64, 0.797_358),
        (79, 0.808_515),
        (102, 0.819_672),
        (128, 0.827_110),
        (158, 0.838_267),
        (205, 0.849_424),
        (256, 0.856_862),
        (293, 0.877_317),
        (341, 0.897_771),
        (410, 0.918_226),
        (512, 0.938_681),
        (630, 0.947_048),
        (819, 0.955_416),
        (1024, 0.960_995),
        (1365, 0.967_503),
        (2048, 0.974_011),
        (2731, 0.977_730),
        (4096, 0.981_449),
        (5461, 0.985_633),
        (8192, 0.989_817),
        (10923, 0.992_723),
        (16384, 0.995_628),
        (21845, 0.996_442),
        (32768, 0.997_255),
        (65536, 0.998_069),
        (87381, 0.998_621),
        (131_072, 0.999_173),
        (262_144, 0.999_550),
        (524_288, 0.999_848),
        (1_005_228, 0.999_924),
        (1_856_928, 0.999_962),
        (3_221_790, 0.999_981),
        (12_158_197, 1.0),
    ]),
};
