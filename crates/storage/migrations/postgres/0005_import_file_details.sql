-- How the file of an import is read, in JSON.
ALTER TABLE imports ADD COLUMN file_details text;
