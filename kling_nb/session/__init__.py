"""Tasks, images and history as the user holds them: engine, workspace and display put together."""
