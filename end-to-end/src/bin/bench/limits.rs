use anyhow::{Result, bail};

/// Figures against what was promised of them.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    missed: Vec<String>,
}

impl Limits {
    /// Compares a figure with its limit; the words are for the line that tells the figure.
    pub(crate) fn check(&mut self, name: &str, figure: f64, limit: f64, unit: &str) -> String {
        if figure <= limit {
            return format!("limit {limit:.0} {unit}: held");
        }
        self.missed.push(format!("{name}: {figure:.2} {unit}, limit {limit:.0}"));
        format!("limit {limit:.0} {unit}: MISSED")
    }

    /// That all were held.
    pub(crate) fn held(self) -> Result<()> {
        if self.missed.is_empty() {
            return Ok(());
        }
        bail!("limits missed: {}", self.missed.join("; "))
    }
}
