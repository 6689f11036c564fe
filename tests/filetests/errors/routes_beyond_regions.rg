; test error

graph routes_beyond_regions {
  %q = input : f32[1, 4, 2, 8]
  %routes = route %q, %q { k = 5 }
  return %routes
}

; expect error
;   error: route has k = 5
;    --> errors/routes_beyond_regions.rg:5:13
;     |
;   5 |   %routes = route %q, %q { k = 5 }
;     |             ^^^^^^--^^--^^^^^^^^^^
;     |             |     |   |
;     |             |     |   this is f32[1, 4, 2, 8]
;     |             |     this is f32[1, 4, 2, 8]
;     |             expected 1 to 4, the regions of f32[1, 4, 2, 8]
