//! Graphs as data: parse, validate, compile into regions, draw.
