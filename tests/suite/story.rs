//! Whole stories, with the real program on the rehearsal's wires: it is killed, doubled, overtaken, stopped and misled, and the
//! end is always the same. Every run of the program is a machine of its own: an empty home, no cache.

mod crowd;
mod kills;
mod release_commit;
mod scene;
mod setbacks;
mod sources;
