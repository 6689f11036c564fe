; test roundtrip
; test eval
; test plan target=x86-64-v4
; test check

// The greatest of truth values says whether any is set, the least whether all are.
graph any_and_all {
  %x = input : bool[4, 9]
  %a = input : f32[4, 9]
  %any = reduce %x { op = max, axis = -1 }
  %all = reduce %x { op = min, axis = 0 }
  %positive = lt 0.0, %a
  %each = reduce %positive { op = max, axis = 0 }
  return %any, %all, %each
}

; expect roundtrip
;   graph any_and_all {
;     %x = input : bool[4, 9]
;     %a = input : f32[4, 9]
;     %any = reduce %x { op = max, axis = -1 } : bool[4, 1]
;     %all = reduce %x { op = min, axis = 0 } : bool[1, 9]
;     %4 = const { value = 0.0 } : f32[]
;     %positive = lt %4, %a : bool[4, 9]
;     %each = reduce %positive { op = max, axis = 0 } : bool[1, 9]
;     return %any, %all, %each
;   }

; expect eval
;   36 flops
;   %any : bool[4, 1] = 1.00000 1.00000 1.00000 1.00000 … norm 2.00000
;   %all : bool[1, 9] = 0.00000 0.00000 0.00000 0.00000 0.00000 1.00000 … norm 1.00000
;   %each : bool[1, 9] = 1.00000 1.00000 1.00000 0.00000 1.00000 1.00000 … norm 2.82843

; expect plan target=x86-64-v4
;   plan any_and_all {
;     %any = row [4, 1] reading %x
;     %all = row [1, 9] reading %x
;     %each = row [1, 9] reading %a
;   }

; expect check
;   %any, %all, %each within 1e-5 of the reference
