TWISTED_REACTOR = "timerwheel.reactors.asyncioreactor.AsyncioSelectorReactor"
