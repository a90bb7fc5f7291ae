//! `zumra openapi`

use crate::output::print;

/// Print the OpenAPI document of the API
#[derive(clap::Args)]
#[command(after_help = "Example:\n  zumra openapi > zumra.json")]
pub(crate) struct Command {}

impl Command {
    #[expect(clippy::unused_self, reason = "every command runs in the same way")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        print(zumra_server::openapi_document())
    }
}
