mod cluster;
mod events;
mod failures;
mod hostile;
mod link;
mod marathon_lb;
mod rest;
mod site;
