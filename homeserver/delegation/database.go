package delegation

import (
	"errors"
	"fmt"
	"net/url"
)

// Database is where Synapse keeps its data.
type Database struct {
	Engine string // sqlite3 or psycopg2
	Args   map[string]string
}

// Database reads which database Synapse has.
func (c *Config) Database() (Database, error) {
	if path := c.text("database_path"); path != "" && c.value("database") == nil {
		return Database{"sqlite3", map[string]string{"database": path}}, nil
	}
	if c.value("databases") != nil {
		return Database{}, errors.New("there are several databases, which are not looked into")
	}
	d := Database{Engine: c.text("database", "name"), Args: make(map[string]string)}
	for key, value := range mapping(c.value("database", "args")) {
		d.Args[key] = fmt.Sprint(value)
	}
	if d.Engine != "sqlite3" && d.Engine != "psycopg2" {
		return Database{}, fmt.Errorf("database.name %q is neither sqlite3 nor psycopg2", d.Engine)
	}
	return d, nil
}

// URL is the same database for a PostgreSQL client that is not Python's.
func (d Database) URL() string {
	options := make(url.Values)
	for key, value := range d.Args {
		switch key {
		case "host", "port", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "passfile":
			options.Set(key, value)
		case "dbname", "database":
			options.Set("dbname", value)
		}
	}
	return "postgres:///?" + options.Encode()
}
