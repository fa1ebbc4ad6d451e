//! Test doubles: provider servers on loopback, fixture repositories, a sandboxed command line.
