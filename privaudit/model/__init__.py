"""The audited model behind one signature, its noise levels and its noise, without diffusers."""
