//! The commands, one file each: arguments, help texts, work and output.

pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod copy;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod ids;
pub(crate) mod import;
pub(crate) mod load;
pub(crate) mod merchant;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod token;
