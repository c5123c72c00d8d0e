mod cluster;
mod events;
mod failures;
mod link;
mod rest;
mod site;
