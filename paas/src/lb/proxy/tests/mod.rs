mod hostile;
mod routing;
mod site;
