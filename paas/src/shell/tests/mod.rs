mod events;
mod failures;
mod rest;
mod site;
