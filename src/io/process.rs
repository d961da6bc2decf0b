//! Programs: started with a time limit and a bound on what they may say.
