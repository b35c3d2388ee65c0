"""The starter guide's programs, as its readers have them. Only URL, KEY and the file's path are filled in."""

HEAD = """#!/usr/bin/env python3
# -*- coding: utf-8 -*-
import requests
import json
import base64
URL = '{url}'
KEY = '{key}'
FILE = '{file}'
headers = {{
    'Content-Type' : 'application/json',
    'x-api-key' : KEY
}}
"""
BASE64 = "b64 = base64.encodebytes(open(FILE, 'rb').read()).decode('utf8')\n"
TAIL = """
r = requests.post(URL, data=json.dumps(data), headers=headers)
print(r.text)
"""

PICTURE = HEAD + BASE64 + """data = {{
    "executor": "Executor",
    "inputs": [{{
        "name": "x",
        "type": "png",
        "data": b64
    }}]
}}""" + TAIL

NUMBERS = HEAD + """data = {{
    "executor": "Executor",
    "inputs": [{{
        "name": "x",
        "type": "vector",
        "data": [[5], [3.5], [1.3], [0.3]]
    }}]
}}""" + TAIL

SOUND = HEAD + BASE64 + """data = {{
    "executor": "Executor",
    "inputs": [{{
        "name": "x",
        "type": "wav",
        "data": b64
    }}]
}}""" + TAIL

SEVERAL = HEAD + BASE64 + """data = {{
    "executor": "Executor",
    "inputs": [{{
        "name": "x1",
        "type": "png",
        "data": b64
    }}, {{
        "name": "x2",
        "type": "vector",
        "data": [0.25]
    }}]
}}""" + TAIL
